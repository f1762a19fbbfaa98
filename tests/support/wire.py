"""A cable between a program and a server, which a test can cut and mend: a TCP relay on loopback.

What travels is never looked at. It lives in the test's own event loop.
"""

import asyncio
from contextlib import suppress


class Wire:
    """Relays a free port of 127.0.0.1, which it keeps over cut() and mend(), to another."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self.turned_away = 0
        self.changed = asyncio.Event()

    async def __aenter__(self) -> "Wire":
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Cut what is under way, and whoever comes, until it is mended."""
        self._is_cut = True
        for writer in list(self._open):
            writer.transport.abort()

    def mend(self) -> None:
        """Let everything through again."""
        self._is_cut = False

    async def wait_for_turned_away(self, count: int) -> None:
        """Return once so many callers found the wire cut."""
        async with asyncio.timeout(20):
            while self.turned_away < count:
                self.changed.clear()
                await self.changed.wait()

    async def _relay(self, near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        if self._is_cut:
            self.turned_away += 1
            self.changed.set()
            near_out.transport.abort()
            return
        far, far_out = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._open |= {near_out, far_out}
        try:
            await asyncio.gather(_pump(near, far_out), _pump(far, near_out))
        finally:
            for writer in (near_out, far_out):
                self._open.discard(writer)
                writer.transport.abort()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await source.read(65536):
            sink.write(chunk)
            await sink.drain()
    sink.transport.abort()
