"""The mail server of the drill: takes mails, notes each, and behaves as badly as it is told.

It runs in a thread with an event loop of its own. It keeps no mail, only what is needed to
recognise one.
"""

import asyncio
import itertools
import re
import socket
import threading
import time
from contextlib import suppress
from typing import Self, cast

import uvloop

from drill.ledgers import Taken
from drill.mail_behaviour import WELL, Behaviour

DATA_END = b"\r\n.\r\n"
OK = b"250 2.0.0 Ok\r\n"
EXTENSIONS = b"250-mail.drill.example\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
MESSAGE_ID = re.compile(rb"^Message-ID: <([^@>]*)@", re.MULTILINE | re.IGNORECASE)
LINK = re.compile(rb"/reset/([\w.-]+)")
HOST = "127.0.0.1"


class MailServer:
    """One mail server; it keeps its port while it is stopped. Usable from any thread."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = WELL
        self._taken: list[Taken] = []
        self._changed = threading.Condition()
        self._sessions: set[Session] = set()
        self._numbers = itertools.count(1)
        self._ready = threading.Event()
        # Bound and not listening: connections are refused, and nobody else is given the port.
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind((HOST, 0))
        self.port: int = self._holder.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: uvloop.run(self._run()), daemon=True)
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the mail server did not start")
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._holder.close()

    def taken(self) -> list[Taken]:
        """Return every mail taken so far, in that order."""
        with self._changed:
            return self._taken.copy()

    def count(self) -> int:
        """Return how many mails were taken so far."""
        return len(self._taken)

    def stop(self) -> None:
        """Cut every connection and refuse new ones."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)

    def start(self) -> None:
        """Take connections again."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def cut(self) -> None:
        """Cut every connection; new ones are taken."""
        self._loop.call_soon_threadsafe(self._cut_all)

    def wait_sending(self, worker: str, patience: float) -> bool:
        """Wait until a worker has handed over a mail and waits for the reply; tell if it came."""
        with self._changed:
            return self._changed.wait_for(
                lambda: any(one.worker == worker and one.owes_reply for one in self._sessions),
                patience,
            )

    def wait_taken(self, since: float, patience: float) -> float | None:
        """Return when the first mail after an instant was taken, None if none came in time."""

        def first() -> float | None:
            later = (one.at for one in reversed(self._taken) if one.at > since)
            return min(later, default=None)

        with self._changed:
            self._changed.wait_for(first, patience)
            return first()

    # The thread's own side

    async def _run(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        await self._listen()
        self._ready.set()
        await self._end.wait()
        await self._close()

    async def _listen(self) -> None:
        self._listener = await self._loop.create_server(
            lambda: Session(self), HOST, self.port, reuse_address=True
        )

    async def _close(self) -> None:
        self._listener.close()
        self._cut_all()

    def _cut_all(self) -> None:
        for session in list(self._sessions):
            session.cut()

    def connected(self, session: "Session", is_open: bool) -> None:
        """Note that a connection was made, or lost."""
        with self._changed:
            (self._sessions.add if is_open else self._sessions.discard)(session)

    def take(self, raw: bytes, recipient: str, worker: str) -> str:
        """Note a mail and return the id under which it is queued here."""
        queue_id = f"D{next(self._numbers):07d}"
        message_id, token = recognise(raw)
        mail = Taken(
            at=time.time(),
            message_id=message_id,
            recipient=recipient,
            token=token,
            queue_id=queue_id,
            worker=worker,
        )
        with self._changed:
            self._taken.append(mail)
            self._changed.notify_all()
        return queue_id


class Session(asyncio.Protocol):
    """One SMTP connection (RFC 5321)."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._received = b""
        self._in_data = False
        self._recipient = ""
        self.worker = ""
        self.owes_reply = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet, or not."""
        self._transport = cast("asyncio.Transport", transport)
        self._server.connected(self, True)
        way = self._server.behaviour
        if way.hang_at != "greeting":
            self._say(way.greeting)
        if not way.greets:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end."""
        self._server.connected(self, False)

    def cut(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Answer every whole command and mail received so far."""
        self._received += data
        while self._take_mail() if self._in_data else self._take_line():
            pass

    def _take_line(self) -> bool:
        line, end, rest = self._received.partition(b"\r\n")
        if not end:
            return False
        self._received = rest
        if self._server.behaviour.hang_at != "greeting":
            self._say(self._answer(line))
        return True

    def _answer(self, line: bytes) -> bytes:
        verb, text = line[:4].upper(), line.decode("utf-8", "replace")
        if verb == b"EHLO":
            self.worker = text[5:].strip()
            return EXTENSIONS
        if verb == b"RCPT":
            self._recipient = text.partition("<")[2].partition(">")[0]
            return self._server.behaviour.refuses_recipient(self._recipient) or OK
        if verb == b"DATA":
            self._in_data = True
            return b"354 Go on\r\n"
        return b"221 2.0.0 Bye\r\n" if verb == b"QUIT" else OK

    def _take_mail(self) -> bool:
        raw, end, rest = self._received.partition(DATA_END)
        if not end:
            return False
        self._received, self._in_data = rest, False
        self._judge(raw)
        return True

    def _judge(self, raw: bytes) -> None:
        way = self._server.behaviour
        refusal = way.refuses_mail(self._recipient)
        if way.hang_at == "data":
            return
        if refusal is not None:
            self._say(refusal)
        elif way.drop == "lost":
            self.cut()
        else:
            self._accept(raw, way)

    def _accept(self, raw: bytes, way: Behaviour) -> None:
        # It is ours before we say so: whoever dies meanwhile does not know, and sends it again.
        self.owes_reply = True
        queue_id = self._server.take(raw, self._recipient, self.worker)
        if way.drop == "kept":
            self.cut()
            return
        reply = f"250 2.0.0 Ok: queued as {queue_id}\r\n".encode()
        asyncio.get_running_loop().call_later(way.delay, self._say, reply)

    def _say(self, reply: bytes) -> None:
        self.owes_reply = False
        with suppress(RuntimeError):
            self._transport.write(reply)


def recognise(raw: bytes) -> tuple[str, str]:
    """Return the id of a mail's letter and the token of its link; each "" if there is none.

    The link is read from the text, which comes first and is sent as it is.
    """
    message_id, link = MESSAGE_ID.search(raw), LINK.search(raw)
    return message_id[1].decode() if message_id else "", link[1].decode() if link else ""
