"""The intake of the embedded database: requests are on disk in the inbox, then moved."""

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from sqlalchemy.engine import URL

from authreset.store.database import StoreUnavailable
from authreset.store.inbox import APPEND, Mover, open_inbox
from authreset.store.intake import APPEND_SECONDS, Row
from authreset.store.sqlite import execute_in_turn, sqlite_path
from authreset.store.tables import instant_to_micros
from authreset.store.wakeups import make_wakeups


class SqliteAppender:
    """Appends to the inbox in one thread and moves what is in it in another.

    What a killed process left in the inbox is moved as soon as the next one is made.
    """

    flights = 1

    def __init__(self, url: URL) -> None:
        self._path = sqlite_path(url)
        self._thread = ThreadPoolExecutor(1, "intake")
        self._connection: sqlite3.Connection | None = None
        self._mover = Mover(self._path, make_wakeups(url))

    async def append(self, rows: Sequence[Row]) -> None:
        """Write rows in one transaction, which is on disk when this returns.

        Raises StoreUnavailable also when the last move failed: what could not be worked on is not
        taken either.
        """
        if self._mover.is_stuck:
            raise StoreUnavailable("sqlite: what is in the inbox cannot be moved")
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._write, rows)
        except asyncio.CancelledError:
            self._thread.submit(self._mover.hint)  # it may be written yet
            raise
        # After the callers were told: what is done about a row must not show in its answer.
        loop.call_soon(self._mover.hint)

    async def moved(self) -> None:
        """Return when everything that was appended is where the worker looks.

        Raises StoreUnavailable when that failed; it stays in the inbox and is tried again.
        """
        await asyncio.wrap_future(self._mover.move())

    async def close(self) -> None:
        """Move what is left, and close the connections in their own threads."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()
        with suppress(StoreUnavailable):
            await asyncio.wrap_future(self._mover.end())

    def _write(self, rows: Sequence[Row]) -> None:
        try:
            connection = self._connect()
            execute_in_turn(connection, "BEGIN IMMEDIATE", APPEND_SECONDS)
            try:
                connection.executemany(APPEND, map(_sqlite_row, rows))
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as error:
            self._disconnect()
            raise StoreUnavailable(f"sqlite: {error.sqlite_errorname}") from error

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            if not os.path.exists(self._path):
                raise StoreUnavailable("sqlite: there is no database to move requests to")
            self._connection = open_inbox(self._path, APPEND_SECONDS)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _sqlite_row(row: Row) -> tuple[Any, ...]:
    id, received_at, *rest = row
    return (id.hex, instant_to_micros(received_at), *rest)
