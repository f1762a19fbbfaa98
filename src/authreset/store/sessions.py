"""Sessions of users: digests and times."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select

from authreset.rules.lockout import UserStatus
from authreset.rules.tenancy import EntityRef
from authreset.store.database import Transaction
from authreset.store.entities import entity_ref
from authreset.store.statements import delete_before
from authreset.store.tables import entities, sessions, users


@dataclass(frozen=True, slots=True)
class Session:
    """Whose session it is, and at which node it was opened."""

    digest: bytes
    user_id: int
    status: UserStatus
    entity: EntityRef
    created_at: datetime
    expires_at: datetime


async def add_session(
    tx: Transaction,
    *,
    digest: bytes,
    user_id: int,
    entity_id: int,
    created_at: datetime,
    expires_at: datetime,
) -> None:
    """Store a session's digest."""
    await tx.execute(
        insert(sessions).values(
            digest=digest,
            user_id=user_id,
            entity_id=entity_id,
            created_at=created_at,
            expires_at=expires_at,
        )
    )


async def find_session(tx: Transaction, digest: bytes) -> Session | None:
    """Return the session of that digest, also when its time is over."""
    query = (
        select(
            sessions.c.user_id,
            sessions.c.created_at,
            sessions.c.expires_at,
            users.c.status,
            entities.c.id,
            entities.c.type,
            entities.c.entry,
            entities.c.root_id,
            entities.c.path,
        )
        .join(users, users.c.id == sessions.c.user_id)
        .join(entities, entities.c.id == sessions.c.entity_id)
        .where(sessions.c.digest == digest)
    )
    row = (await tx.execute(query)).mappings().first()
    if row is None:
        return None
    return Session(
        digest,
        row["user_id"],
        UserStatus(row["status"]),
        entity_ref(row),
        row["created_at"],
        row["expires_at"],
    )


async def delete_session(tx: Transaction, digest: bytes) -> bool:
    """End one session; tell whether it was there."""
    ended = await tx.execute(delete(sessions).where(sessions.c.digest == digest))
    return ended.rowcount > 0


async def delete_user_sessions(tx: Transaction, user_id: int) -> int:
    """End every session of a user and return how many there were."""
    return (await tx.execute(delete(sessions).where(sessions.c.user_id == user_id))).rowcount


async def sweep_sessions(tx: Transaction, before: datetime, limit: int) -> int:
    """Remove sessions whose time was over before that instant."""
    return await delete_before(tx, sessions.c.expires_at, before, limit)
