"""Sockets for strangers: octets go out as they are, and answers are read as they come."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from authreset.rules.tokens import TokenKind
from authreset.web.protocol import REQUEST_SECONDS
from tests.support.site import Site
from tests.web.serving import served

PATIENCE = 20.0
HOT = "/api/User/authreset"
USUAL = "/api/user/authreset"
"""The same call by another spelling, which takes the usual way through ASGI."""


@dataclass(frozen=True)
class Reply:
    """One answer: its status line and number, its header lines in their order, its body."""

    first: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, *parts: bytes) -> None:
        """Send parts one by one, each in a packet of its own as far as that can be had."""
        for part in parts:
            self._writer.write(part)
            await self._writer.drain()
            await asyncio.sleep(0)

    async def hear(self) -> Reply:
        """Read the next answer whole."""
        async with asyncio.timeout(PATIENCE):
            head = await self._reader.readuntil(b"\r\n\r\n")
            first, *lines = head[:-4].decode("latin-1").split("\r\n")
            headers = [(name, value) for name, _, value in (one.partition(": ") for one in lines)]
            length = int(dict(headers).get("content-length", 0))
            return Reply(
                first, int(first.split()[1]), headers, await self._reader.readexactly(length)
            )

    async def hear_all(self) -> list[Reply]:
        """Read answers until the other side ends the connection."""
        replies: list[Reply] = []
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                replies.append(await self.hear())
        return replies

    def finish(self) -> None:
        """Send nothing more, and go on reading."""
        self._writer.write_eof()

    def hang_up(self) -> None:
        self._writer.transport.abort()


@dataclass
class Visitor:
    """A stranger, who has a token of the tree all the same."""

    site: Site
    port: int
    token: str
    lines: list[Line] = field(default_factory=list)

    async def open(self) -> Line:
        self.lines.append(Line(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.lines[-1]

    async def say(self, *parts: bytes) -> Line:
        """Open a connection and say this."""
        line = await self.open()
        with suppress(ConnectionError):
            await line.say(*parts)
        return line

    def call(self, body: bytes = b"{}", path: str = HOT, more: Sequence[str] = ()) -> bytes:
        """Return a good call, with further header lines."""
        return self.head(path, (*more, f"Content-Length: {len(body)}")) + body

    def head(self, path: str = HOT, more: Sequence[str] = ()) -> bytes:
        """Return the head of a call that says nothing of a body yet."""
        lines = [f"POST {path} HTTP/1.1", "Host: x", f"requestToken: {self.token}"]
        lines += ["Content-Type: application/json", *more, "", ""]
        return "\r\n".join(lines).encode("latin-1")

    async def is_served(self) -> bool:
        """Tell whether another caller gets an answer now."""
        line = await self.say(self.call())
        try:
            return (await line.hear()).status == 200
        finally:
            line.hang_up()

    def hang_up(self) -> None:
        for line in self.lines:
            line.hang_up()


@asynccontextmanager
async def visitor_of(
    site: Site, *, request_seconds: float = REQUEST_SECONDS
) -> AsyncIterator[Visitor]:
    """Serve a site on a real port."""
    token = await site.add_token(TokenKind.ORGANIZATION)
    async with served(site.parts, request_seconds=request_seconds) as port:
        visitor = Visitor(site, port, token)
        try:
            yield visitor
        finally:
            visitor.hang_up()


def without_their_own(octets: bytes) -> bytes:
    """Take the values out of an answer that are its own: request id and date."""
    return re.sub(rb"(?m)^(x-request-id|date): [^\r]*", rb"\1:", octets)
