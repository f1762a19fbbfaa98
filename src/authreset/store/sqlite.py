"""How files of SQLite are opened: for the engine, and for who has a connection of its own."""

import asyncio
import os
import sqlite3
import threading
import time
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import aiosqlite
import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

BUSY_SECONDS = 10
"""How long a transaction of the engine waits for the file."""

_creating = threading.Lock()

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",  # stays with the file
    "PRAGMA synchronous=FULL",  # a commit is on disk when it returns
    "PRAGMA foreign_keys=ON",
)


def sqlite_path(url: URL) -> str:
    """Return the file of an embedded database."""
    return os.fspath(url.database or "")


def open_sqlite(url: URL) -> AsyncEngine:
    """Return the engine for a file, which is made on the first connection if there is none."""
    engine = create_async_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine.sync_engine, "do_connect", _make_private)
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
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
    """Execute a statement as soon as no other connection is in its way. Raises sqlite3.Error.

    SQLite's own waiting sleeps up to 100 ms at a time, which a caller would feel, and which misses
    every gap between the transactions of somebody busy; and it waits for no change of the journal
    mode, which is made by the first of several who open a new file.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection.execute(statement, values)
            return
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.0005)


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


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


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we write BEGIN ourselves
    connection.run_async(_set_pragmas)


async def _set_pragmas(connection: aiosqlite.Connection) -> None:
    async with asyncio.timeout(BUSY_SECONDS):
        for pragma in _PRAGMAS:
            await _execute_in_turn(connection, pragma)


async def _execute_in_turn(connection: aiosqlite.Connection, statement: str) -> None:
    while True:
        try:
            await connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
        await asyncio.sleep(0.01)


def _begin(connection: sqlalchemy.Connection) -> None:
    # Taking the write lock at once waits for it; upgrading a read lock later would fail instead.
    reads = connection.get_execution_options().get("authreset_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
