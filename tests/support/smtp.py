"""A real SMTP server on loopback that keeps what it gets and fails as it is told.

Tests read mails from it and never from our own code. `smtp_process` runs it as a program.
"""

import asyncio
import re
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Literal
from urllib.parse import quote

from tests.support.smtp_session import Drop, Fault, Hang, Reply, ServerSession, Stage

Tls = Literal["none", "starttls", "implicit"]

WAIT_SECONDS = 10.0


@dataclass(frozen=True)
class CapturedMail:
    """One mail as the server took it: its envelope, its octets, and the connection it came by."""

    sender: str
    recipients: list[str]
    options: list[str]
    raw: bytes
    connection: int
    encrypted: bool
    username: str | None

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def links(self) -> list[str]:
        """The links that stand on a line of their own in the text."""
        return re.findall(r"^https?://\S+$", self.text, re.MULTILINE)

    @property
    def html(self) -> str:
        return self._part("html")

    def _part(self, subtype: str) -> str:
        body = self.message.get_body((subtype,))
        return "" if body is None else str(body.get_content()).replace("\r\n", "\n")


@dataclass
class SmtpServer:
    """Listens on a free port of 127.0.0.1, which it keeps over stop() and start().

    `credentials` makes AUTH a duty. TLS needs `certificate`, a server's SSL context:
    `trustme.CA().issue_cert("127.0.0.1").configure_cert(context)` makes one.
    May be used as a context manager. All methods may be called from any thread.
    """

    tls: Tls = "none"
    certificate: ssl.SSLContext | None = None
    credentials: tuple[str, str] | None = None
    mechanisms: tuple[str, ...] = ("LOGIN", "PLAIN")
    smtputf8: bool = True
    accepted_reply: str = "250 2.0.0 Ok: queued as {number:08X}"
    port: int = 0
    on_mail: Callable[[CapturedMail], None] | None = None

    host: str = field(default="127.0.0.1", init=False)
    mails: list[CapturedMail] = field(default_factory=list, init=False)
    connections: int = field(default=0, init=False)  # ever opened
    open_connections: int = field(default=0, init=False)
    most_open_connections: int = field(default=0, init=False)
    commands: list[str] = field(default_factory=list, init=False)  # verbs, over all connections

    def __post_init__(self) -> None:
        self.changed = threading.Condition()
        self._faults: dict[Stage, deque[Fault | None]] = {}
        self._standing: dict[Stage, Fault] = {}
        self._sessions: set[ServerSession] = set()
        self._thread: threading.Thread | None = None
        # Holds the port while the server is down: bound and not listening, it refuses connections,
        # and no other program can be given the port.
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind((self.host, self.port))
        self.port = self._holder.getsockname()[1]

    # Running it

    def start(self) -> "SmtpServer":
        """Listen; returns once connections are taken."""
        assert self._thread is None, "already started"
        listening = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listening)), daemon=True
        )
        self._thread.start()
        assert listening.wait(WAIT_SECONDS), "the SMTP server did not start"
        return self

    def stop(self) -> None:
        """Cut every connection and refuse new ones. Mails and faults are kept."""
        if self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive(), "the SMTP server did not stop"
        self._thread = None

    def close(self) -> None:
        """Stop for good and give the port back."""
        self.stop()
        self._holder.close()

    def __enter__(self) -> "SmtpServer":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def url(self, **options: object) -> str:
        """Return the URL to reach it by, such as smtp://user:pass@127.0.0.1:2525?timeout=1."""
        scheme = "smtps" if self.tls == "implicit" else "smtp"
        login = ":".join(quote(one, safe="") for one in self.credentials or ())
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"{scheme}://{login}{'@' * bool(login)}{self.host}:{self.port}?{query}".rstrip("?")

    # Making it fail

    def reply(self, stage: Stage, line: str, times: int | None = 1) -> None:
        """Answer the next `times` at that stage with `line`; None means from now on."""
        self._plan(stage, Reply(line), times)

    def hang(self, stage: Stage, times: int | None = 1) -> None:
        """Say nothing at that stage, until the client goes away."""
        self._plan(stage, Hang(), times)

    def drop(self, stage: Stage, times: int | None = 1, *, keep: bool = True) -> None:
        """Cut the connection at that stage; at BODY, having kept the mail or not."""
        self._plan(stage, Drop(keep), times)

    def behave(self, stage: Stage, times: int = 1) -> None:
        """Do nothing special for the next `times`, before whatever is planned after."""
        self._plan(stage, None, times)

    def heal(self) -> None:
        """Forget every planned fault."""
        with self.changed:
            self._faults.clear()
            self._standing.clear()

    def _plan(self, stage: Stage, fault: Fault | None, times: int | None) -> None:
        with self.changed:
            if times is None:
                assert fault is not None
                self._standing[stage] = fault
            else:
                self._faults.setdefault(stage, deque()).extend([fault] * times)

    def next_fault(self, stage: Stage) -> Fault | None:
        """Return what to do at that stage now. Called by the sessions."""
        with self.changed:
            planned = self._faults.get(stage)
            return planned.popleft() if planned else self._standing.get(stage)

    # Seeing what came

    def wait_for(self, count: int, timeout: float = WAIT_SECONDS) -> list[CapturedMail]:
        """Return the mails once there are at least `count`. Raises TimeoutError."""
        self.wait_until(lambda server: len(server.mails) >= count, timeout)
        return list(self.mails)

    def wait_until(
        self, condition: Callable[["SmtpServer"], bool], timeout: float = WAIT_SECONDS
    ) -> None:
        """Wait until it holds for the server; looked at whenever anything happens to it."""
        with self.changed:
            if not self.changed.wait_for(lambda: condition(self), timeout):
                raise TimeoutError(
                    f"within {timeout} s: {len(self.mails)} mails, {self.connections} connections "
                    f"({self.open_connections} open), commands {self.commands}"
                )

    def capture(self, **facts: Any) -> int:
        """Keep a mail and return its number. Called by the sessions."""
        with self.changed:
            self.mails.append(CapturedMail(**facts))
            if self.on_mail is not None:
                self.on_mail(self.mails[-1])
            self.changed.notify_all()
            return len(self.mails)

    def connected(self, session: ServerSession) -> int:
        """Count a connection and return its number. Called by the sessions."""
        with self.changed:
            self._sessions.add(session)
            self.connections += 1
            self.open_connections += 1
            self.most_open_connections = max(self.most_open_connections, self.open_connections)
            self.changed.notify_all()
            return self.connections

    def disconnected(self, session: ServerSession) -> None:
        """Count the end of a connection. Called by the sessions."""
        with self.changed:
            self._sessions.discard(session)
            if not self._sessions:
                self._emptied.set()
            self.open_connections -= 1
            self.changed.notify_all()

    def heard(self, verb: str) -> None:
        """Note a command. Called by the sessions."""
        with self.changed:
            self.commands.append(verb)
            self.changed.notify_all()

    # The thread

    async def _serve(self, listening: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping, self._emptied = asyncio.Event(), asyncio.Event()
        listener = await self._loop.create_server(
            lambda: ServerSession(self, self._loop),
            self.host,
            self.port,
            ssl=self.certificate if self.tls == "implicit" else None,
            reuse_address=True,
        )
        listening.set()
        await self._stopping.wait()
        listener.close()
        if self._sessions:
            self._emptied.clear()
            for session in list(self._sessions):
                session.cut()
            await self._emptied.wait()
