"""How files of SQLite are opened: for the engine, and for who has a connection of its own."""

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

BUSY_SECONDS = 10.0
"""How long a transaction of the engine waits for the file."""

_NAP_SECONDS = 0.05
"""How long SQLite waits by itself before we ask again: its naps begin short and grow to 0.1 s,
too long for the gaps that somebody busy leaves between two transactions."""

_creating = threading.Lock()

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",  # stays with the file
    "PRAGMA synchronous=FULL",  # a commit is on disk when it returns
    "PRAGMA foreign_keys=ON",
)


def sqlite_path(url: URL) -> str:
    """Return the file of an embedded database."""
    return os.fspath(url.database or "")


def open_sqlite(url: URL, busy_seconds: float = BUSY_SECONDS) -> AsyncEngine:
    """Return the engine for a file, which is made on the first connection if there is none."""
    engine = create_async_engine(url, hide_parameters=True, connect_args={"timeout": _NAP_SECONDS})
    event.listen(engine.sync_engine, "do_connect", _make_private)
    event.listen(engine.sync_engine, "connect", partial(_prepare, busy_seconds))
    event.listen(engine.sync_engine, "begin", partial(_begin, busy_seconds))
    return engine


def connect(path: str, seconds: float, *statements: str) -> sqlite3.Connection:
    """Open a file for one thread at a time, make it if there is none, and execute statements.

    It waits so long for whoever else is just opening it, and afterwards for nobody
    (`execute_in_turn` does). Raises sqlite3.Error.
    """
    _create_privately(path)
    connection = sqlite3.connect(
        existing(path), uri=True, isolation_level=None, timeout=0, check_same_thread=False
    )
    try:
        for statement in (*_PRAGMAS, *statements):
            execute_in_turn(connection, statement, seconds)
    except BaseException:
        connection.close()
        raise
    return connection


def existing(path: str) -> str:
    """Return the URI of a file that must be there: a plain path would make it."""
    return f"file:{quote(path)}?mode=rw"


def execute_in_turn(
    connection: sqlite3.Connection, statement: str, seconds: float, *values: Any
) -> None:
    """Execute a statement as soon as no other connection is in its way. Raises sqlite3.Error."""
    execute = partial(connection.execute, statement, values)
    _in_turn(execute, seconds, rest=partial(time.sleep, 0.0005))


def _in_turn(
    attempt: Callable[[], object], seconds: float, rest: Callable[[], object] = lambda: None
) -> None:
    """Attempt and rest by turns until no other connection is in the way.

    SQLite itself waits for no change of the journal mode, which is made by the first of several who
    open a new file.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            attempt()
            return
        except (sqlite3.OperationalError, sqlalchemy.exc.OperationalError) as error:
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
        rest()


def _is_busy(error: sqlite3.OperationalError | sqlalchemy.exc.OperationalError) -> bool:
    told = error.orig if isinstance(error, sqlalchemy.exc.OperationalError) else error
    return getattr(told, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _make_private(_dialect: object, _record: object, args: list[Any], _options: object) -> None:
    _create_privately(args[0])


def _create_privately(path: str) -> None:
    """Make a file that only its owner may read, if there is none yet.

    SQLite would follow the umask; what it makes beside the file has the file's mode. A file that
    is there is not opened, and nobody here opens it before this is over: to close it ends the
    locks that this process has on it.
    """
    with _creating, suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))


def _prepare(busy_seconds: float, connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we write BEGIN ourselves
    nap = partial(connection.run_async, lambda _: asyncio.sleep(0.01))
    for pragma in _PRAGMAS:
        _in_turn(partial(connection.execute, pragma), busy_seconds, rest=nap)


def _begin(busy_seconds: float, connection: sqlalchemy.Connection) -> None:
    # Taking the write lock at once waits for it; upgrading a read lock later would fail instead.
    reads = connection.get_execution_options().get("authreset_reads", False)
    begin = "BEGIN" if reads else "BEGIN IMMEDIATE"
    _in_turn(partial(connection.exec_driver_sql, begin), busy_seconds)
