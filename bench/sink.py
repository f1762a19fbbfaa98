"""A minimal SMTP server that accepts everything, fast, and notes when it accepted what for whom.

It runs in a thread with an event loop of its own. It keeps no letter.
"""

import asyncio
import os
import threading
import time
from typing import Self, cast

import uvloop

GREETING = b"220 sink.bench.example ESMTP\r\n"
EXTENSIONS = b"250-sink.bench.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
ACCEPTED = b"250 2.0.0 Ok\r\n"
DATA_END = b"\r\n.\r\n"


class Acceptances:
    """The instants (`time.monotonic`) at which letters were accepted, by recipient."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._instants: list[tuple[float, str]] = []

    def add(self, recipients: list[str]) -> None:
        """Note that a letter to these recipients is accepted now."""
        now = time.monotonic()
        with self._changed:
            self._instants.extend((now, recipient) for recipient in recipients)
            self._changed.notify_all()

    def count(self) -> int:
        """Return how many letters were accepted so far."""
        return len(self._instants)

    def instant(self, number: int) -> float:
        """Return when the letter of this number (from 0, in order of acceptance) was accepted."""
        return self._instants[number][0]

    def after(self, begun: float, recipient: str | None = None) -> list[float]:
        """Return the instants after `begun`, ascending; of one recipient or of all."""
        with self._changed:
            known = self._instants.copy()
        return [at for at, who in known if at > begun and recipient in (None, who)]

    def wait(self, count: int, patience: float) -> bool:
        """Wait until so many letters were accepted in all; tell whether they were."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._instants) >= count, patience)


class Session(asyncio.Protocol):
    """One SMTP connection (RFC 5321, with pipelining)."""

    def __init__(self, acceptances: Acceptances) -> None:
        self._acceptances = acceptances
        self._recipients: list[str] = []
        self._received = b""
        self._in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(GREETING)

    def data_received(self, data: bytes) -> None:
        """Answer every whole command and letter received so far."""
        self._received += data
        while self._take_letter() if self._in_data else self._take_line():
            pass

    def _take_letter(self) -> bool:
        _, end, rest = (b"\r\n" + self._received).partition(DATA_END)
        if not end:
            return False
        self._received, self._in_data = rest, False
        self._acceptances.add(self._recipients)
        self._recipients = []
        self._transport.write(ACCEPTED)
        return True

    def _take_line(self) -> bool:
        line, end, rest = self._received.partition(b"\r\n")
        if not end:
            return False
        self._received = rest
        self._transport.write(self._answer(line))
        if line[:4].upper() == b"QUIT":
            self._transport.close()
        return True

    def _answer(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"EHLO":
            return EXTENSIONS
        if verb == b"RCPT":
            self._recipients.append(address(line))
        elif verb in (b"RSET", b"MAIL"):
            self._recipients = []
        elif verb == b"DATA":
            self._in_data = True
            return b"354 Go on\r\n"
        return b"221 2.0.0 Bye\r\n" if verb == b"QUIT" else ACCEPTED


def address(line: bytes) -> str:
    """Return the address between the angle brackets of a RCPT command."""
    return line.partition(b"<")[2].partition(b">")[0].decode("utf-8", "replace")


class Sink:
    """The server in a thread on one core; `port` and `accepted` are valid once entered."""

    def __init__(self, core: int) -> None:
        self.accepted = Acceptances()
        self.port = 0
        self._core = core
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(10):
            raise RuntimeError("the SMTP sink did not start")
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        os.sched_setaffinity(0, {self._core})  # of this thread alone
        uvloop.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(lambda: Session(self.accepted), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
