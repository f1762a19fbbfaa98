"""Engines and transactions, the same on SQLite and PostgreSQL. No statement lives here."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from pathlib import Path
from typing import TypeAlias

import asyncpg
import sqlalchemy
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from authreset.store.postgres import open_postgres
from authreset.store.sqlite import BUSY_SECONDS, open_sqlite
from authreset.store.wakeups import Wakeups, make_wakeups

Transaction: TypeAlias = AsyncConnection
"""An open transaction. Every function of the store takes one first."""

CONNECT_SECONDS = 1.5
STATEMENT_SECONDS = 30


class StoreUnavailable(Exception):
    """The database cannot be reached, is read-only, full, or did not answer in time."""


class Database:
    """One database. `begin` writes, `read` only reads; both end with their block."""

    def __init__(
        self,
        url: URL,
        *,
        pool_size: int = 8,
        statement_seconds: float = STATEMENT_SECONDS,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        self.url = url
        self.is_postgres = url.get_backend_name() == "postgresql"
        self.engine = (
            open_postgres(
                url,
                pool_size=pool_size,
                connect_seconds=CONNECT_SECONDS,
                statement_seconds=statement_seconds,
            )
            if self.is_postgres
            else open_sqlite(url, busy_seconds)
        )
        self.wakeups: Wakeups = make_wakeups(url)
        self._reader = self.engine.execution_options(authreset_reads=True)
        # SQLite lets one write at a time and makes the others poll; those of this process queue.
        self._turn: AbstractAsyncContextManager[None] = (
            nullcontext() if self.is_postgres else asyncio.Lock()
        )

    @asynccontextmanager
    async def begin(self, *, wakes_worker: bool = False) -> AsyncIterator[Transaction]:
        """Open a transaction; it commits when its block ends well. Raises StoreUnavailable.

        One inside another's block would wait for itself.
        """
        with _faults_told():
            async with self._turn, self._opened(self.engine.begin()) as tx:
                yield tx
                if wakes_worker:
                    await self.wakeups.announce(tx)
        if wakes_worker:
            self.wakeups.nudge()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """Open a transaction that only reads. Raises StoreUnavailable."""
        with _faults_told():
            async with self._opened(self._reader.connect()) as tx:
                yield tx

    @asynccontextmanager
    async def _opened(
        self, opening: AbstractAsyncContextManager[Transaction]
    ) -> AsyncIterator[Transaction]:
        # A pooled connection is asked first whether it lives, which a hung server never answers.
        # SQLite has no such thing; there, opening waits for the turn to write.
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(CONNECT_SECONDS if self.is_postgres else None):
                tx = await stack.enter_async_context(opening)
            yield tx

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
        self.wakeups.close()


class _faults_told:  # noqa: N801 -- reads as the words of a sentence where it is used
    """Turns the many faults of a lost database into one; a wrong statement's stays what it is."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None and is_outage(error):
            raise StoreUnavailable(_name(error)) from error


def _name(error: BaseException) -> str:
    """Return the driver's word for a fault, which has no value in it as its text may have."""
    while isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig.__cause__ or error.orig
    return getattr(error, "sqlite_errorname", type(error).__name__)


def is_outage(error: BaseException) -> bool:
    """Tell whether an error means that the database is away, and not that a statement is wrong."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _is_outage_of_driver(error.orig)
    if isinstance(error, asyncpg.PostgresError):  # told while connecting, before SQLAlchemy hears
        return str(error.sqlstate).startswith(_OUTAGE_STATES)
    return isinstance(error, (OSError, TimeoutError, sqlalchemy.exc.TimeoutError))


# SQLSTATE classes: connection, role refused, no such database, insufficient resources, operator
# intervention, system error; a server turned read-only; no lock in time; an unknown error, such
# as PgBouncer's own.
_OUTAGE_STATES = ("08", "28", "3D", "53", "57", "58", "25006", "25P03", "55P03", "XX000")


def _is_outage_of_driver(error: BaseException | None) -> bool:
    if isinstance(error, sqlite3.OperationalError):
        return error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_ERROR  # a wrong statement
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_OUTAGE_STATES)
    # asyncpg's words for a lost connection, and for one whose end it was told of while it began
    # something on it; its ValueError: a setting that it cannot read.
    cause = getattr(error, "__cause__", None)
    is_lost = isinstance(cause, (asyncpg.InterfaceError, asyncpg.InternalClientError))
    return is_lost and not isinstance(cause, ValueError)


def database_url(text: str, data_dir: Path) -> URL:
    """Return the URL with the driver we use. An empty text means the file in the data directory.

    Raises ValueError, which does not repeat the text: there may be a password in it.
    """
    if not text:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # addresses and hashes
        return URL.create("sqlite+aiosqlite", database=str((data_dir / "authreset.db").absolute()))
    try:
        url = make_url(text)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise ValueError(_EXPECTED) from None
    driver = _DRIVERS.get(url.get_backend_name())
    if driver is None or not url.database or url.database == ":memory:":
        raise ValueError(_EXPECTED)
    return url.set(drivername=driver)


_EXPECTED = "expected postgresql://user:password@host/name or sqlite:///path/to/file.db"
_DRIVERS = {
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
}
