"""The inbox of the embedded database: a file beside it that only the intake writes to.

One connection at a time writes to an SQLite file. In the database's own file a caller would wait
for the worker, and how long would tell what the worker does. So a request is durable in the inbox,
the caller is answered (`store.embedded_intake`), and then the request is moved to where the worker
finds it (docs/decisions/0008).
"""

import queue
import sqlite3
import threading
from concurrent.futures import Future

import structlog

from authreset.store.database import StoreUnavailable
from authreset.store.intake import COLUMNS
from authreset.store.sqlite import connect, execute_in_turn, existing
from authreset.store.tables import requests
from authreset.store.wakeups import Wakeups

MOST_MOVED = 1000
"""Rows in one move: so long the worker has to wait at most."""

MOVE_SECONDS = 2.0
"""How long a move waits for the database, and how long until the next one is tried."""

_log = structlog.get_logger("authreset")

_NAMES = ", ".join(COLUMNS)
# A number is never used twice, so a move removes what it moved, whoever else moves meanwhile.
_TABLE = "CREATE TABLE IF NOT EXISTS arrivals (number INTEGER PRIMARY KEY AUTOINCREMENT, {})"
_COLUMNS = ", ".join(name + " NOT NULL" * (not requests.c[name].nullable) for name in COLUMNS)
APPEND = f"INSERT INTO arrivals ({_NAMES}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 -- of our own constants, as below
_LAST = "SELECT max(number) FROM (SELECT number FROM arrivals ORDER BY number LIMIT ?)"
# One that was moved and not yet removed when the power went is there already.
_MOVE = (
    f"INSERT INTO store.requests ({_NAMES}) SELECT {_NAMES} FROM arrivals "  # noqa: S608
    "WHERE number <= ? ON CONFLICT (id) DO NOTHING"
)
_REMOVE = "DELETE FROM arrivals WHERE number <= ?"


class Mover:
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
        execute_in_turn(connection, _MOVE, MOVE_SECONDS, last)
        execute_in_turn(connection, _REMOVE, MOVE_SECONDS, last)
        return True

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = open_inbox(self._path, MOVE_SECONDS)
            execute_in_turn(connection, "ATTACH ? AS store", MOVE_SECONDS, existing(self._path))
            connection.execute("PRAGMA store.synchronous=FULL")
            connection.execute("PRAGMA main.synchronous=NORMAL")  # a removal need not be on disk
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def open_inbox(path: str, seconds: float) -> sqlite3.Connection:
    """Open the inbox beside a database as `sqlite.connect` does, and make it if there is none."""
    return connect(f"{path}-inbox", seconds, _TABLE.format(_COLUMNS))
