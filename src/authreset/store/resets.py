"""Resets: at most one live one a user, which a partial unique index says too."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, exists, insert, or_, select, update

from authreset.rules.outcomes import ResetEnd
from authreset.store.database import Transaction
from authreset.store.statements import delete_before, is_one_of
from authreset.store.tables import letters, resets


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """One reset. `expires_at` is None until the mail server accepted its first letter."""

    id: UUID
    user_id: int
    entity_id: int
    token_digest: bytes
    key_id: bytes
    lifetime_seconds: int
    created_at: datetime
    deadline_at: datetime
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None

    def is_live(self, now: datetime) -> bool:
        """Tell whether its link still works."""
        in_time = self.expires_at is None or now < self.expires_at
        return self.ended_at is None and in_time and now < self.deadline_at


async def add_resets(tx: Transaction, added: Sequence[Reset]) -> None:
    """Store new resets."""
    if added:
        await tx.execute(insert(resets), [asdict(one) for one in added])


async def find_unended_resets(tx: Transaction, user_ids: Iterable[int]) -> dict[int, Reset]:
    """Return, by user, the reset that was not ended; its time may be over all the same."""
    is_meant = is_one_of(tx, resets.c.user_id, list(user_ids))
    query = select(resets).where(is_meant, resets.c.ended_at.is_(None))
    return {row["user_id"]: _reset(row) for row in (await tx.execute(query)).mappings()}


async def find_reset_by_digest(tx: Transaction, digest: bytes) -> Reset | None:
    """Return the reset whose token has that digest."""
    query = select(resets).where(resets.c.token_digest == digest)
    row = (await tx.execute(query)).mappings().first()
    return None if row is None else _reset(row)


async def find_resets(tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Reset]:
    """Return resets by id."""
    found = await tx.execute(select(resets).where(resets.c.id.in_(list(ids))))
    return {row["id"]: _reset(row) for row in found.mappings()}


async def list_user_resets(tx: Transaction, user_id: int) -> list[Reset]:
    """Return a user's resets, the oldest first."""
    query = select(resets).where(resets.c.user_id == user_id).order_by(resets.c.created_at)
    return [_reset(row) for row in (await tx.execute(query)).mappings()]


async def claim_reset(tx: Transaction, digest: bytes, now: datetime) -> Reset | None:
    """End the live reset of that digest as used and return it. Of many callers one gets it."""
    statement = (
        update(resets)
        .where(resets.c.token_digest == digest, resets.c.ended_at.is_(None))
        .where(or_(resets.c.expires_at.is_(None), resets.c.expires_at > now))
        .where(resets.c.deadline_at > now)
        .values(ended_at=now, end_reason=ResetEnd.USED.value)
        .returning(resets)
    )
    row = (await tx.execute(statement)).mappings().first()
    return None if row is None else _reset(row)


async def end_resets(
    tx: Transaction, user_ids: Iterable[int], reason: ResetEnd, now: datetime
) -> int:
    """End the open resets of users and return how many there were."""
    wanted = list(user_ids)
    if not wanted:
        return 0
    statement = (
        update(resets)
        .where(is_one_of(tx, resets.c.user_id, wanted), resets.c.ended_at.is_(None))
        .values(ended_at=now, end_reason=reason.value)
    )
    return (await tx.execute(statement)).rowcount


async def start_lifetimes(tx: Transaction, accepted: Sequence[tuple[Reset, datetime]]) -> None:
    """Let a lifetime start, or start anew, because the mail server accepted a letter."""
    if not accepted:
        return
    statement = (
        update(resets)
        .where(resets.c.id == bindparam("b_id"), resets.c.ended_at.is_(None))
        .values(expires_at=bindparam("b_expires"))
    )
    await tx.execute(
        statement,
        [
            {
                "b_id": reset.id,
                "b_expires": min(at + timedelta(seconds=reset.lifetime_seconds), reset.deadline_at),
            }
            for reset, at in accepted
        ],
    )


async def sweep_resets(tx: Transaction, before: datetime, limit: int) -> int:
    """Remove resets that were over before that instant, with their letters.

    One whose letter still waits to be sent stays, however long the mail server has been away.
    """
    waits = exists().where(letters.c.reset_id == resets.c.id, letters.c.finished_at.is_(None))
    return await delete_before(tx, resets.c.deadline_at, before, limit, ~waits)


def _reset(row: Any) -> Reset:
    return Reset(**row)
