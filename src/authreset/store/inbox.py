"""The intake of the embedded database: a file of its own, the inbox, that only it writes to.

One connection at a time writes to an SQLite file. In the database's own file a caller would wait
for the worker, and how long would tell what the worker does. So a request is durable in the inbox,
the caller is answered, and then the request is moved to where the worker finds it
(docs/decisions/0008).
"""

import asyncio
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import structlog
from sqlalchemy.engine import URL

from authreset.store.database import (
    SQLITE_PRAGMAS,
    StoreUnavailable,
    create_privately,
    sqlite_path,
)
from authreset.store.intake import APPEND_SECONDS, COLUMNS, Row
from authreset.store.tables import instant_to_micros, requests
from authreset.store.wakeups import Wakeups, make_wakeups

MOST_MOVED = 1000
"""Rows in one move: so long the worker has to wait at most."""

MOVE_SECONDS = 2.0
"""How long a move waits for the database, and how long until the next one is tried."""

_log = structlog.get_logger("authreset")

_NAMES = ", ".join(COLUMNS)
# A number is never used twice, so a move removes what it moved, whoever else moves meanwhile.
_TABLE = "CREATE TABLE IF NOT EXISTS arrivals (number INTEGER PRIMARY KEY AUTOINCREMENT, {})"
_COLUMNS = ", ".join(name + " NOT NULL" * (not requests.c[name].nullable) for name in COLUMNS)
_APPEND = f"INSERT INTO arrivals ({_NAMES}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 -- of our own constants, as below
_LAST = "SELECT max(number) FROM (SELECT number FROM arrivals ORDER BY number LIMIT ?)"
# One that was moved and not yet removed when the power went is there already.
_MOVE = (
    f"INSERT INTO store.requests ({_NAMES}) SELECT {_NAMES} FROM arrivals "  # noqa: S608
    "WHERE number <= ? ON CONFLICT (id) DO NOTHING"
)
_REMOVE = "DELETE FROM arrivals WHERE number <= ?"


class SqliteAppender:
    """Appends to the inbox in one thread and moves what is in it in another.

    What a killed process left in the inbox is moved as soon as the next one is made.
    """

    flights = 1

    def __init__(self, url: URL) -> None:
        self._path = sqlite_path(url)
        self._thread = ThreadPoolExecutor(1, "intake")
        self._connection: sqlite3.Connection | None = None
        self._mover = _Mover(self._path, make_wakeups(url))

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
            self._begin(connection)
            try:
                connection.executemany(_APPEND, map(_sqlite_row, rows))
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as error:
            self._disconnect()
            raise StoreUnavailable(f"sqlite: {error.sqlite_errorname}") from error

    @staticmethod
    def _begin(connection: sqlite3.Connection) -> None:
        # SQLite's own waiting sleeps up to 100 ms at a time; a caller would feel it.
        deadline = time.monotonic() + APPEND_SECONDS
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(0.0005)

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            if not os.path.exists(self._path):
                raise StoreUnavailable("sqlite: there is no database to move requests to")
            self._connection = _open_inbox(self._path, 0)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Mover:
    """A thread that moves rows from the inbox to the database: at once, on a hint, when asked."""

    def __init__(self, path: str, wakeups: Wakeups) -> None:
        self._path = path
        self._wakeups = wakeups
        self._asked: queue.SimpleQueue[Future[None] | None] = queue.SimpleQueue()
        self._last: Future[None] | None = None
        self._connection: sqlite3.Connection | None = None
        self.is_stuck = False
        self.hint()
        threading.Thread(target=self._run, name="inbox", daemon=True).start()

    def hint(self) -> None:
        """Let what is in the inbox be moved soon."""
        self._asked.put(None)

    def move(self) -> Future[None]:
        """Return what is done when everything now in the inbox is moved, or cannot be."""
        asked: Future[None] = Future()
        self._asked.put(asked)
        return asked

    def end(self) -> Future[None]:
        """Move for the last time."""
        self._last = Future()
        self._asked.put(self._last)
        return self._last

    def _run(self) -> None:
        while True:
            asked = self._next()
            fault = self._try_to_move()
            is_over = asked is not None and asked is self._last
            if is_over:
                self._disconnect()
                self._wakeups.close()
            if asked is not None:
                asked.set_exception(fault) if fault else asked.set_result(None)
            if is_over:
                return

    def _next(self) -> Future[None] | None:
        try:
            return self._asked.get(timeout=MOVE_SECONDS if self.is_stuck else None)
        except queue.Empty:
            return None

    def _try_to_move(self) -> StoreUnavailable | None:
        try:
            while self._move_some():
                self._wakeups.nudge()
        except Exception as error:  # whatever it is, the next try must come
            self._disconnect()
            reason = getattr(error, "sqlite_errorname", type(error).__name__)
            if not self.is_stuck:
                _log.warning("inbox_waits", reason=reason)
            self.is_stuck = True
            return StoreUnavailable(f"sqlite: {reason}")
        self.is_stuck = False
        return None

    def _move_some(self) -> bool:
        connection = self._connect()
        (last,) = connection.execute(_LAST, (MOST_MOVED,)).fetchone()
        if last is None:
            return False
        connection.execute(_MOVE, (last,))
        connection.execute(_REMOVE, (last,))
        return True

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = _open_inbox(self._path, MOVE_SECONDS)
            connection.execute("ATTACH ? AS store", (_existing(self._path),))
            connection.execute("PRAGMA store.synchronous=FULL")
            connection.execute("PRAGMA main.synchronous=NORMAL")  # a removal need not be on disk
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


_opening = threading.Lock()


def _open_inbox(path: str, busy_seconds: float) -> sqlite3.Connection:
    """Open the inbox beside a database, and make it if there is none."""
    inbox = f"{path}-inbox"
    with _opening:  # two who change a new file's journal mode at once disturb each other
        create_privately(inbox)
        connection = sqlite3.connect(
            _existing(inbox),
            uri=True,
            isolation_level=None,
            timeout=busy_seconds,
            check_same_thread=False,
        )
        for statement in (*SQLITE_PRAGMAS, _TABLE.format(_COLUMNS)):
            connection.execute(statement)
        return connection


def _existing(path: str) -> str:
    return f"file:{quote(path)}?mode=rw"  # never makes the file, as a plain path would


def _sqlite_row(row: Row) -> tuple[Any, ...]:
    id, received_at, *rest = row
    return (id.hex, instant_to_micros(received_at), *rest)
