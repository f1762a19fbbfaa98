"""Letters: the outbox. No rendered body and no token; both are made when a letter is sent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, insert, literal, select, update

from authreset.rules.outcomes import WAITING_STATES, LetterState, Template
from authreset.store.database import Transaction
from authreset.store.statements import delete_before, is_one_of
from authreset.store.tables import Instant, letters
from authreset.store.turns import NOW, Queue, find_earliest, hold_next, waiting_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLetter:
    """A letter that a change of state causes; it is stored in that change's transaction."""

    id: UUID
    template: Template
    user_id: int
    root_id: int
    entity_id: int
    recipient: str
    created_at: datetime
    reset_id: UUID | None = None
    client_address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedLetter(NewLetter):
    """A letter that is ours until `lease_ends_at`. `lease` is the fence: a later one voids ours."""

    lease: int
    lease_ends_at: datetime
    attempts: int
    first_attempt_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How an attempt to send a leased letter ended."""

    letter: LeasedLetter
    state: LetterState
    at: datetime
    due_at: datetime
    smtp_code: int | None = None
    smtp_text: str = ""
    queue_id: str | None = None


_WAITING = letters.c.finished_at.is_(None)
_QUEUE = Queue(letters, _WAITING, letters.c.due_at <= NOW, letters.c.due_at)


async def add_letters(tx: Transaction, added: Sequence[NewLetter]) -> None:
    """Store letters; each is due at once."""
    if added:
        await tx.execute(
            insert(letters),
            [
                {
                    "id": one.id,
                    "template": one.template.value,
                    "user_id": one.user_id,
                    "root_id": one.root_id,
                    "entity_id": one.entity_id,
                    "reset_id": one.reset_id,
                    "recipient": one.recipient,
                    "client_address": one.client_address,
                    "created_at": one.created_at,
                    "state": LetterState.QUEUED.value,
                    "due_at": one.created_at,
                }
                for one in added
            ],
        )


async def lease_due(
    tx: Transaction, now: datetime, *, lease: timedelta, limit: int
) -> list[LeasedLetter]:
    """Take letters that are due, in equal shares for the root organisations.

    A letter whose lease ran out is due again; its fence moves on, so that whoever held it before
    can no longer record anything.
    """
    held = await hold_next(tx, _QUEUE, limit=limit, now=now)
    if not held:
        return []
    statement = (
        update(letters)
        .where(is_one_of(tx, letters.c.id, held))
        .values(state=LetterState.SENDING.value, lease=letters.c.lease + 1, due_at=now + lease)
        .returning(letters)
    )
    return [_leased(row) for row in (await tx.execute(statement)).mappings()]


async def record_attempts(tx: Transaction, attempts: Sequence[Attempt]) -> set[UUID]:
    """Record how attempts ended and return the ids of those whose lease was still ours."""
    recorded: set[UUID] = set()
    for one in attempts:
        finished = one.state in (LetterState.ACCEPTED, LetterState.FAILED)
        statement = (
            update(letters)
            .where(letters.c.id == one.letter.id, letters.c.lease == one.letter.lease)
            .where(letters.c.state == LetterState.SENDING.value)
            .values(
                state=one.state.value,
                due_at=one.due_at,
                smtp_code=one.smtp_code,
                smtp_text=one.smtp_text[:250],
                queue_id=one.queue_id and one.queue_id[:200],
                finished_at=one.at if finished else None,
                attempts=letters.c.attempts + 1,
                first_attempt_at=func.coalesce(
                    letters.c.first_attempt_at, literal(one.at, Instant())
                ),
            )
        )
        if (await tx.execute(statement)).rowcount:
            recorded.add(one.letter.id)
    return recorded


async def release(tx: Transaction, held: Sequence[LeasedLetter], now: datetime) -> None:
    """Give leased letters back untried; they are due at once, in their old place in the line."""
    if not held:
        return
    statement = (
        update(letters)
        .where(letters.c.id == bindparam("b_id"), letters.c.lease == bindparam("b_lease"))
        .where(letters.c.state == LetterState.SENDING.value)
        .values(state=bindparam("b_state"), due_at=bindparam("b_due"))
    )
    await tx.execute(
        statement,
        [
            {
                "b_id": one.id,
                "b_lease": one.lease,
                "b_due": min(one.created_at, now),
                "b_state": (LetterState.DEFERRED if one.attempts else LetterState.QUEUED).value,
            }
            for one in held
        ],
    )


async def hasten_unreachable(tx: Transaction, now: datetime) -> int:
    """Make letters due that wait only because no mail server could be reached."""
    statement = (
        update(letters)
        .where(_WAITING, letters.c.state == LetterState.DEFERRED.value)
        .where(letters.c.smtp_code.is_(None), letters.c.due_at > now)
        .values(due_at=now)
    )
    return (await tx.execute(statement)).rowcount


async def change_reset(tx: Transaction, letter_id: UUID, reset_id: UUID) -> None:
    """Let a letter carry the link of another reset."""
    await tx.execute(update(letters).where(letters.c.id == letter_id).values(reset_id=reset_id))


async def find_waiting_letters(tx: Transaction, reset_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Return, by reset, the letter that still waits to be sent."""
    wanted = list(reset_ids)
    if not wanted:
        return {}
    is_meant = is_one_of(tx, letters.c.reset_id, wanted)
    query = select(letters.c.reset_id, letters.c.id).where(is_meant, _WAITING)
    return dict((await tx.execute(query)).all())


async def next_due_at(tx: Transaction) -> datetime | None:
    """Return when the next letter is due."""
    return await find_earliest(tx, _QUEUE)


async def count_by_state(tx: Transaction, most: int | None = None) -> dict[str, int]:
    """Return how many unfinished letters stand in each state; counting ends at `most` of them."""
    rows = waiting_rows(_QUEUE, most, letters.c.state)
    query = select(rows.c.state, func.count()).group_by(rows.c.state)
    found: dict[str, int] = dict((await tx.execute(query)).all())
    return {state.value: found.get(state.value, 0) for state in WAITING_STATES}


async def oldest_waiting_at(tx: Transaction) -> datetime | None:
    """Return when the oldest unfinished letter was made."""
    found = await tx.execute(select(func.min(letters.c.created_at)).where(_WAITING))
    oldest: datetime | None = found.scalar()
    return oldest


async def list_letters(tx: Transaction, *, limit: int = 100) -> list[dict[str, Any]]:
    """Return the newest letters, the newest first."""
    query = select(letters).order_by(letters.c.created_at.desc()).limit(limit)
    return [dict(row) for row in (await tx.execute(query)).mappings()]


async def find_letters(tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return letters by id."""
    found = await tx.execute(select(letters).where(letters.c.id.in_(list(ids))))
    return {row["id"]: dict(row) for row in found.mappings()}


async def list_user_letters(tx: Transaction, user_id: int) -> list[dict[str, Any]]:
    """Return a user's letters, the oldest first."""
    query = select(letters).where(letters.c.user_id == user_id).order_by(letters.c.created_at)
    return [dict(row) for row in (await tx.execute(query)).mappings()]


async def sweep_letters(tx: Transaction, before: datetime, limit: int) -> int:
    """Remove letters that were finished before that instant."""
    return await delete_before(tx, letters.c.finished_at, before, limit)


def _leased(row: Any) -> LeasedLetter:
    return LeasedLetter(
        id=row["id"],
        template=Template(row["template"]),
        user_id=row["user_id"],
        root_id=row["root_id"],
        entity_id=row["entity_id"],
        recipient=row["recipient"],
        created_at=row["created_at"],
        reset_id=row["reset_id"],
        client_address=row["client_address"],
        lease=row["lease"],
        lease_ends_at=row["due_at"],
        attempts=row["attempts"],
        first_attempt_at=row["first_attempt_at"],
    )
