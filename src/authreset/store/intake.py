"""Appending requests, many in one commit. Reads nothing and needs no right to read.

How it is done on SQLite is in `store.embedded_intake`.
NewRequest comes from the flows; here it is any sequence in the order of `COLUMNS`.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import asyncpg
from sqlalchemy.engine import URL

from authreset.store.database import CONNECT_SECONDS, StoreUnavailable
from authreset.store.wakeups import CHANNEL

COLUMNS = (
    "id",
    "received_at",
    "source",
    "token_id",
    "user_id",
    "entity_id",
    "root_id",
    "email",
    "client_address",
)
Row = tuple[UUID, datetime, str, int | None, int | None, int, int, str | None, str | None]

APPEND_SECONDS = 1.5
NOTIFY_SECONDS = 0.02


class Appender(Protocol):
    """Makes rows durable. `flights`: how many appends may run at the same time."""

    flights: int

    async def append(self, rows: Sequence[Row]) -> None:
        """Return when every row is on disk; raise StoreUnavailable when that is not certain.

        How long a database may keep silent is the caller's matter, who cancels.
        """

    async def close(self) -> None:
        """Let go of the connection."""


class PostgresAppender:
    """Held connections, one statement a flush; a connection that was lost is made anew."""

    flights = 2

    def __init__(self, url: URL, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pooled = url.query.get("pooler") == "transaction"
        plain = url.difference_update_query(["pooler"]).set(drivername="postgresql")
        self._dsn = plain.render_as_string(hide_password=False)
        self._idle: list[Any] = []
        self._monotonic = monotonic
        self._notified_at = 0.0
        self._trailing: asyncio.TimerHandle | None = None
        self._trailing_task: asyncio.Task[None] | None = None

    async def append(self, rows: Sequence[Row]) -> None:
        """Write rows in one statement, which is a transaction of its own."""
        wakes = self._hint_now()
        if len(rows) == 1:
            await self._execute(_INSERT_ONE_AND_WAKE if wakes else _INSERT_ONE, *rows[0])
        else:
            columns = zip(*rows, strict=True)
            await self._execute(_INSERT_AND_WAKE if wakes else _INSERT, *columns)

    async def close(self) -> None:
        """Close the connections."""
        if self._trailing is not None:
            self._trailing.cancel()
        while self._idle:
            self._idle.pop().terminate()

    async def _execute(self, statement: str, *arguments: Any) -> None:
        connection: Any = None
        try:
            connection = await self._connect()
            await connection.execute(statement, *arguments)
        except BaseException as error:
            if connection is not None:
                connection.terminate()
            if isinstance(error, (ValueError, asyncpg.DataError)):
                raise  # a row cannot be stored; the database is well
            if isinstance(error, _OUTAGES):
                raise StoreUnavailable(type(error).__name__) from error
            raise
        self._idle.append(connection)

    async def _connect(self) -> Any:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_SECONDS,
            statement_cache_size=0 if self._pooled else 100,
        )

    def _hint_now(self) -> bool:
        """Tell whether an append that begins now hints to the worker; else one follows soon."""
        now = self._monotonic()
        if now - self._notified_at >= NOTIFY_SECONDS:
            self._notified_at = now
            return True
        if self._trailing is None:
            # The rows after the last hint must not wait for the worker's own look.
            loop = asyncio.get_running_loop()
            self._trailing = loop.call_later(NOTIFY_SECONDS, self._notify_soon)
        return False

    def _notify_soon(self) -> None:
        self._trailing = None
        self._trailing_task = asyncio.get_running_loop().create_task(self._notify())

    async def _notify(self) -> None:
        self._notified_at = self._monotonic()
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(APPEND_SECONDS):
                await self._execute(f"NOTIFY {CHANNEL}")


# InternalClientError: asyncpg was told of the connection's end while it began something on it.
_OUTAGES = (OSError, asyncpg.InterfaceError, asyncpg.PostgresError, asyncpg.InternalClientError)
_TYPES = ("uuid", "timestamptz", "text", "bigint", "bigint", "bigint", "bigint", "text", "text")
_INTO = f"INSERT INTO requests ({', '.join(COLUMNS)})"
_INSERT = "{} SELECT * FROM unnest({})".format(  # noqa: S608 -- of our own constants, as below
    _INTO, ", ".join(f"${n}::{type}[]" for n, type in enumerate(_TYPES, 1))
)
# A lone caller waits for this statement alone; without arrays it takes a tenth less.
_INSERT_ONE = "{} VALUES ({})".format(_INTO, ", ".join(f"${n}" for n in range(1, len(COLUMNS) + 1)))

# The hint commits with the rows. It costs more than they do, so a busy intake gives it seldom.
_WAKING = "WITH added AS ({}) SELECT pg_notify('" + CHANNEL + "', '')"
_INSERT_AND_WAKE, _INSERT_ONE_AND_WAKE = _WAKING.format(_INSERT), _WAKING.format(_INSERT_ONE)
