"""Engines and transactions, the same on SQLite and PostgreSQL. Statements live in the other modules."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from authreset.store.wakeups import Wakeups, make_wakeups

Transaction: TypeAlias = AsyncConnection
"""An open transaction. Every function of the store takes one first."""

CONNECT_SECONDS = 1.5
STATEMENT_SECONDS = 30
BUSY_SECONDS = 10


class StoreUnavailable(Exception):
    """The database cannot be reached, is read-only, full, or did not answer in time."""


class Database:
    """One database. `begin` writes, `read` only reads; both end with their block."""

    def __init__(self, url: URL, *, pool_size: int = 8) -> None:
        self.url = url
        self.is_postgres = url.get_backend_name() == "postgresql"
        self.engine = _open_postgres(url, pool_size) if self.is_postgres else _open_sqlite(url)
        self.wakeups: Wakeups = make_wakeups(url)
        self._reader = self.engine.execution_options(authreset_reads=True)

    @asynccontextmanager
    async def begin(self, *, wakes_worker: bool = False) -> AsyncIterator[Transaction]:
        """Open a transaction; it commits when its block ends well. Raises StoreUnavailable."""
        with _faults_told():
            async with self.engine.begin() as tx:
                yield tx
                if wakes_worker:
                    await self.wakeups.announce(tx)
        if wakes_worker:
            self.wakeups.nudge()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """Open a transaction that only reads. Raises StoreUnavailable."""
        with _faults_told():
            async with self._reader.connect() as tx:
                yield tx

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
        self.wakeups.close()


class _faults_told:  # noqa: N801 -- reads as the words of a sentence where it is used
    """Turns the many faults of a lost database into one; a fault of our statements stays what it is."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None and is_outage(error):
            raise StoreUnavailable(type(error).__name__) from error


def is_outage(error: BaseException) -> bool:
    """Tell whether an error means that the database is away, and not that a statement is wrong."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(
            error, (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError)
        ) or _is_server_fault(error)
    return isinstance(error, (OSError, TimeoutError, sqlalchemy.exc.TimeoutError))


# SQLSTATE classes: connection, insufficient resources, operator intervention, system error, and a
# transaction refused because the server turned read-only.
_OUTAGE_STATES = ("08", "53", "57", "58", "25006", "XX000")


def _is_server_fault(error: SQLAlchemyError) -> bool:
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    return state.startswith(_OUTAGE_STATES)


def database_url(text: str, data_dir: Path) -> URL:
    """Return the URL with the driver we use. An empty text means the file in the data directory."""
    if not text:
        data_dir.mkdir(parents=True, exist_ok=True)
        return URL.create("sqlite+aiosqlite", database=str((data_dir / "authreset.db").absolute()))
    url = make_url(text)
    driver = {"postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}.get(
        url.get_backend_name(), "sqlite+aiosqlite"
    )
    return url.set(drivername=driver)


def _open_postgres(url: URL, pool_size: int) -> AsyncEngine:
    pooled = url.query.get("pooler") == "transaction"
    url = url.difference_update_query(["pooler"])
    arguments: dict[str, Any] = {"timeout": CONNECT_SECONDS, "command_timeout": STATEMENT_SECONDS}
    if pooled:
        # PgBouncer hands each transaction to any server connection: no prepared statement outlives one.
        arguments |= {
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: "",
        }
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=CONNECT_SECONDS,
        pool_pre_ping=True,
        connect_args=arguments,
    )


def _open_sqlite(url: URL) -> AsyncEngine:
    engine = create_async_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # a commit is on disk when it returns
    "PRAGMA foreign_keys=ON",
)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we write BEGIN ourselves
    cursor = connection.cursor()
    for pragma in SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin_sqlite(connection: sqlalchemy.Connection) -> None:
    # Taking the write lock at once waits for it; upgrading a read lock later would fail instead.
    reads = connection.get_execution_options().get("authreset_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def sqlite_path(url: URL) -> str:
    """Return the file of an embedded database."""
    return os.fspath(url.database or "")
