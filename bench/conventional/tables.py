"""The two tables of the conventional service, and the engine it talks through."""

import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, ForeignKey, LargeBinary, String, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The metadata of both tables."""


class ApiToken(Base):
    """An API token of an organisation; only its digest is stored."""

    __tablename__ = "api_tokens"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    revoked: Mapped[bool] = mapped_column(default=False)


class ResetRequest(Base):
    """A recorded request for a reset."""

    __tablename__ = "reset_requests"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    token_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("api_tokens.id"))
    email: Mapped[str | None] = mapped_column(String(320))
    entry: Mapped[str | None]
    entry_type: Mapped[int | None]
    client_address: Mapped[str | None]
    received_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), default=lambda: datetime.now(UTC)
    )


def digest_of(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


def make_engine(url: str) -> AsyncEngine:
    """Return an engine as durable as the service under test: a commit is on disk."""
    if url.startswith("postgresql+"):
        return create_async_engine(url, pool_size=20, max_overflow=0, pool_timeout=120)
    # SQLite has one writer; with more connections than one they only wait for its lock.
    engine = create_async_engine(
        url, pool_size=1, max_overflow=0, pool_timeout=120, connect_args={"timeout": 60}
    )
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
