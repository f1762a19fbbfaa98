"""How a commit wakes a worker: LISTEN/NOTIFY on PostgreSQL, a named pipe beside an SQLite file.

A wake-up is a hint. Whoever waits for one also looks by itself from time to time, so that a lost
hint (PgBouncer in transaction mode, a worker that just restarts) costs a moment and no request.
"""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import asyncpg
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from authreset.store.postgres import is_pooled, plain_dsn

CHANNEL = "authreset_work"


class Wakeups(Protocol):
    """Both ends of the hint."""

    async def announce(self, tx: AsyncConnection) -> None:
        """Let the hint travel with the transaction, where the database can do that."""

    def nudge(self) -> None:
        """Give the hint after the commit, where the database cannot."""

    def listening(self, wake: asyncio.Event) -> Any:
        """Return an asynchronous context in which every hint sets `wake`.

        It is set once when listening begins, and again whenever a lost connection was made anew,
        for what was announced while nobody listened.
        """

    def close(self) -> None:
        """Let go of what is held open."""


def make_wakeups(url: URL) -> Wakeups:
    """Choose by the database."""
    if url.get_backend_name() == "postgresql":
        return PostgresWakeups(url)
    return PipeWakeups(f"{url.database}-wake")


class PostgresWakeups:
    """A notification commits with the row it tells of, and not before."""

    def __init__(self, url: URL) -> None:
        self._dsn = plain_dsn(url)
        self._is_pooled = is_pooled(url)

    async def announce(self, tx: AsyncConnection) -> None:
        """Send the notification inside the transaction."""
        await tx.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})

    def nudge(self) -> None:
        """Do nothing: the notification came with the commit."""

    @asynccontextmanager
    async def listening(self, wake: asyncio.Event) -> AsyncIterator[None]:
        """Listen on a connection of its own, made anew whenever it is lost."""
        if self._is_pooled:
            wake.set()
            yield  # a pooler hands the listening connection to somebody else at once
            return
        task = asyncio.create_task(self._listen(wake))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _listen(self, wake: asyncio.Event) -> None:
        while True:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await self._listen_once(wake)
            await asyncio.sleep(1)

    async def _listen_once(self, wake: asyncio.Event) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=2, statement_cache_size=0)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())
        try:
            await connection.add_listener(CHANNEL, lambda *_: wake.set())
            wake.set()
            await lost.wait()
        finally:
            connection.terminate()

    def close(self) -> None:
        """Hold nothing open."""


class PipeWakeups:
    """A named pipe: has no length limit for its path as a socket has, and needs no cleaning up."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._writer: int | None = None

    async def announce(self, tx: AsyncConnection) -> None:
        """Do nothing: a hint before the commit would come too early."""

    def nudge(self) -> None:
        """Write one byte. Never raises: the commit it tells of has happened, heard or not."""
        try:
            if self._writer is None:
                self._writer = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            os.write(self._writer, b".")
        except BlockingIOError:
            return  # a full pipe wakes its reader too
        except OSError:
            self.close()

    @asynccontextmanager
    async def listening(self, wake: asyncio.Event) -> AsyncIterator[None]:
        """Read hints from the pipe; where none can be made there are none."""
        reader = self._open_reader()
        loop = asyncio.get_running_loop()
        if reader is not None:
            loop.add_reader(reader, self._drain, reader, wake)
        wake.set()
        try:
            yield
        finally:
            if reader is not None:
                loop.remove_reader(reader)
                os.close(reader)

    def _open_reader(self) -> int | None:
        try:
            if not os.path.exists(self._path):
                os.mkfifo(self._path, 0o600)
            # For writing too, else the pipe would tell "end of file" whenever a writer leaves.
            reader = os.open(self._path, os.O_RDWR | os.O_NONBLOCK)
        except OSError:
            return None
        if stat.S_ISFIFO(os.fstat(reader).st_mode):
            return reader
        os.close(reader)
        return None

    @staticmethod
    def _drain(reader: int, wake: asyncio.Event) -> None:
        with suppress(BlockingIOError):
            os.read(reader, 65536)
        wake.set()

    def close(self) -> None:
        """Close the writing end."""
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None
