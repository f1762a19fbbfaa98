"""Making the tables of the conventional service and the one token that the load uses."""

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from bench.conventional.tables import ApiToken, Base, digest_of, make_engine


def prepare(url: str, token: str) -> None:
    """Fill an empty database."""
    asyncio.run(_prepare(url, token))


async def _prepare(url: str, token: str) -> None:
    engine = make_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session:
        expires_at = datetime.now(UTC) + timedelta(days=365)
        session.add(ApiToken(digest=digest_of(token), expires_at=expires_at))
        await session.commit()
    await engine.dispose()
