"""Requests as the worker and operators see them. Appending them is `store.intake`'s work."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import case, func, or_, select, update

from authreset.rules.outcomes import RequestOutcome
from authreset.store.database import Transaction
from authreset.store.statements import delete_before, is_one_of, update_each
from authreset.store.tables import entities, requests
from authreset.store.turns import NOW, Queue, find_earliest, hold_next, waiting_rows


class WaitingRequest(NamedTuple):
    """A request that nobody has dealt with yet. Its fields stand in the order of `_CLAIMED`."""

    id: UUID
    received_at: datetime
    user_id: int | None
    entity_id: int
    entity_path: str
    root_id: int
    email: str | None
    client_address: str | None
    attempts: int


class Settlement(NamedTuple):
    """What became of a request. Its fields stand in the order of `_SETTLED`."""

    request_id: UUID
    outcome: RequestOutcome
    reason: str
    mailbox_digest: bytes | None = None
    letter_id: UUID | None = None


_MOST_ATTEMPTS = 2**15 - 1  # more has no room in the column; the count is for operators
_WAITING = requests.c.outcome.is_(None)
_DUE = or_(requests.c.due_at.is_(None), requests.c.due_at <= NOW)
_QUEUE = Queue(requests, _WAITING, _DUE, requests.c.received_at)
_SETTLED = (
    requests.c.id,
    requests.c.outcome,
    requests.c.reason,
    requests.c.mailbox_digest,
    requests.c.letter_id,
)
_CLAIMED = select(
    requests.c.id,
    requests.c.received_at,
    requests.c.user_id,
    requests.c.entity_id,
    entities.c.path,
    requests.c.root_id,
    requests.c.email,
    requests.c.client_address,
    requests.c.attempts,
).join(entities, entities.c.id == requests.c.entity_id)


async def claim_waiting(tx: Transaction, now: datetime, limit: int) -> list[WaitingRequest]:
    """Hold the next requests until this transaction ends; nobody else gets them meanwhile.

    The transaction is the lease: when its process dies, the rows are free again at once. Each
    root organisation has the same share of a batch, so that one's flood does not delay another.
    """
    held = await hold_next(tx, _QUEUE, limit=limit, now=now)
    if not held:
        return []
    query = _CLAIMED.where(is_one_of(tx, requests.c.id, held)).order_by(requests.c.received_at)
    return [WaitingRequest(*row) for row in (await tx.execute(query)).all()]


async def settle(tx: Transaction, settlements: Sequence[Settlement], now: datetime) -> None:
    """Write the outcomes of claimed requests."""
    if settlements:
        await update_each(tx, _SETTLED, settlements, settled_at=now)


async def put_off(tx: Transaction, ids: Iterable[UUID], reason: str, due_at: datetime) -> None:
    """Leave requests for later, because dealing with them failed."""
    counted = requests.c.attempts + case((requests.c.attempts < _MOST_ATTEMPTS, 1), else_=0)
    await tx.execute(
        update(requests)
        .where(requests.c.id.in_(list(ids)), _WAITING)
        .values(attempts=counted, due_at=due_at, reason=reason[:200])
    )


async def count_waiting(tx: Transaction, most: int | None = None) -> tuple[int, datetime | None]:
    """Return how many requests wait, and when the oldest of them came in.

    Counting ends at `most`, so that a gauge costs no more after an outage than a little before.
    """
    counted = select(func.count()).select_from(waiting_rows(_QUEUE, most, requests.c.root_id))
    count: int = (await tx.execute(counted)).scalar_one()
    return count, await find_earliest(tx, _QUEUE)


async def find_request(tx: Transaction, request_id: UUID) -> dict[str, Any] | None:
    """Return everything that is kept of a request."""
    row = (await tx.execute(_traced().where(requests.c.id == request_id))).mappings().first()
    return None if row is None else dict(row)


async def list_requests_for_mailbox(
    tx: Transaction, digests: Sequence[bytes], email: str, limit: int = 50
) -> list[dict[str, Any]]:
    """Return the latest requests about a mailbox, the newest first, also unsettled ones."""
    unsettled = _WAITING & (func.lower(requests.c.email) == email.lower())
    query = _traced().where(or_(requests.c.mailbox_digest.in_(digests), unsettled))
    found = await tx.execute(query.order_by(requests.c.received_at.desc()).limit(limit))
    return [dict(row) for row in found.mappings()]


async def sweep_requests(tx: Transaction, before: datetime, limit: int) -> int:
    """Remove requests that were settled before that instant."""
    return await delete_before(tx, requests.c.settled_at, before, limit)


def _traced() -> Any:
    return select(requests, entities.c.entry).outerjoin(
        entities, entities.c.id == requests.c.entity_id
    )
