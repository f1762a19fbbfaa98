"""How PostgreSQL is reached: the connection string, the pool, PgBouncer. No statement is here."""

from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

IDLE_SECONDS = 60
"""A transaction that rests so long is ended by the server: its process hangs or was cut off."""

# Every statement has an index made for it. PostgreSQL reads a table from end to end all the same
# if it was small when the statement was planned, and keeps that plan while a flood fills the table:
# each row then costs a look at all others, until the next ANALYZE. Without jit, since version 17
# and older would compile the few statements that have to read a (small) table as a whole.
_SETTINGS = f"""
    SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s';
    SET enable_seqscan = off;
    SET jit = off;
"""


def is_pooled(url: URL) -> bool:
    """Tell whether a pooler such as PgBouncer gives each transaction another server connection."""
    return url.query.get("pooler") == "transaction"


def plain_dsn(url: URL) -> str:
    """Return what asyncpg and libpq understand: `sslmode`, several hosts and the like included."""
    plain = url.difference_update_query(["pooler"]).set(drivername="postgresql")
    return plain.render_as_string(hide_password=False)


def open_postgres(
    url: URL, *, pool_size: int, connect_seconds: float, statement_seconds: float
) -> AsyncEngine:
    """Open a pool. No connection is made before the first is needed."""
    asked = {
        "timeout": connect_seconds,
        "command_timeout": statement_seconds,
        "connection_class": _Connection,
    }
    engine = create_async_engine(
        url.difference_update_query(list(url.query)),
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=connect_seconds,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=_pooled(url, asked) if is_pooled(url) else _direct(url, asked),
    )
    event.listen(engine.sync_engine, "handle_error", _hide_values)
    event.listen(engine.sync_engine, "handle_error", _leave_standby)
    return engine


class _Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg ships no types
    """Is cut at once when the pool gives it up: a server that hangs would make a goodbye wait."""

    async def close(self, *, timeout: float | None = None) -> None:
        """Close; with a time-out, which SQLAlchemy sets where it drops a connection, cut."""
        if timeout is None:
            await super().close()
        else:
            self.terminate()


def _direct(url: URL, asked: dict[str, Any]) -> dict[str, Any]:
    async def connect(**_: Any) -> Any:
        name = {"application_name": "authreset"}
        connection = await asyncpg.connect(plain_dsn(url), server_settings=name, **asked)
        try:
            # Not in the greeting above: a PgBouncer in session mode would refuse it there.
            await connection.execute(_SETTINGS)
        except BaseException:
            connection.terminate()
            raise
        return connection

    return {"async_creator_fn": connect}


def _pooled(url: URL, asked: dict[str, Any]) -> dict[str, Any]:
    # Each transaction may meet another server connection: no prepared statement outlives one.
    async def connect(**_: Any) -> Any:
        return await asyncpg.connect(plain_dsn(url), statement_cache_size=0, **asked)

    return {"async_creator_fn": connect, "prepared_statement_cache_size": 0}


def _hide_values(context: ExceptionContext) -> None:
    # "Key (email)=(a@example.com) already exists": what the server adds would end up in a log.
    error: BaseException | None = context.original_exception
    while error is not None:
        if getattr(error, "detail", None):
            error.detail = None  # type: ignore[attr-defined]  # looked up in the line above
        error = error.__cause__


def _leave_standby(context: ExceptionContext) -> None:
    # After a failover the pool would go on asking the old server, which only reads now.
    if getattr(context.original_exception, "sqlstate", None) == "25006":
        context.is_disconnect = True
