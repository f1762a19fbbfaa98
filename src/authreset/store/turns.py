"""Whose turn it is: how much each root organisation gets of a batch, found without a scan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    Column,
    ColumnElement,
    Select,
    Subquery,
    Table,
    bindparam,
    column,
    func,
    select,
    true,
)
from sqlalchemy.types import BigInteger, Integer

from authreset.store.database import Transaction
from authreset.store.statements import unnested_later
from authreset.store.tables import Instant

MOST_ROOTS = 50
"""On SQLite a batch asks this many roots at most, one by one, so that it stays short."""


def fair_shares(
    roots: Sequence[int], limit: int, turn: int, most_roots: int = MOST_ROOTS
) -> dict[int, int]:
    """Divide a batch among roots in equal shares; `turn` says who begins.

    When there are more roots than places, each has its turn in time. What one root does not need
    is not given to another: it will not be among those that wait the next time.
    """
    if not roots or limit < 1:
        return {}
    begin = turn % len(roots)
    order = [*roots[begin:], *roots[:begin]][: min(limit, most_roots)]
    share, odd = divmod(limit, len(order))
    return {root: share + (place < odd) for place, root in enumerate(order)}


NOW = bindparam("now", type_=Instant())
"""The instant at which a queue is asked what is due."""


@dataclass(frozen=True, slots=True, eq=False)
class Queue:
    """Rows that wait, which of them are due at NOW, and the partial index by which they are found.

    The index has the condition `waiting` and the columns root_id and `order`. Each queue is made
    once, and its statements are kept: to build one takes longer than to run it.
    """

    table: Table
    waiting: ColumnElement[bool]
    due: ColumnElement[bool]
    order: Column[datetime]


async def hold_next(tx: Transaction, queue: Queue, *, limit: int, now: datetime) -> list[UUID]:
    """Hold the next due rows until the transaction ends and return their ids.

    Each root has the same share of them; who begins changes with the time. What another
    transaction holds is passed over.
    """
    roots = (await tx.execute(_due_roots(queue), {"now": now})).scalars().all()
    turn = int(now.timestamp() * 1_000_000)
    if tx.dialect.name != "sqlite":
        shares = fair_shares(roots, limit, turn, most_roots=limit)
        return await _hold_of_all(tx, queue, shares, now) if shares else []
    held: list[UUID] = []
    for root_id, share in fair_shares(roots, limit, turn).items():
        given = {"root_id": root_id, "share": share, "now": now}
        held += (await tx.execute(_next_of_one(queue), given)).scalars()
    return held


async def _hold_of_all(
    tx: Transaction, queue: Queue, shares: Mapping[int, int], now: datetime
) -> list[UUID]:
    """One statement however many roots: a question to the database costs more than its answer."""
    given = {"root_id": list(shares), "share": list(shares.values()), "now": now}
    return list((await tx.execute(_next_of_all(queue), given)).scalars().all())


def _next_of(queue: Queue, root_id: Any, share: Any) -> Select[UUID]:
    mine = queue.table.c.root_id == root_id
    query = select(queue.table.c.id).where(queue.waiting, queue.due, mine)
    return query.order_by(queue.order).limit(share)


@cache
def _next_of_one(queue: Queue) -> Select[UUID]:
    return _next_of(queue, bindparam("root_id"), bindparam("share", type_=Integer()))


@cache
def _next_of_all(queue: Queue) -> Select[UUID]:
    columns = (column("root_id", BigInteger()), column("share", Integer()))
    given = unnested_later(columns)
    mine = _next_of(queue, given.c.root_id, given.c.share).correlate(given)
    held = mine.with_for_update(skip_locked=True).lateral("held")
    return select(held.c.id).select_from(given.join(held, true()))


@cache
def _due_roots(queue: Queue) -> Select[int]:
    hops, table = _hops(queue), queue.table
    first_due = (
        select(table.c.id)
        .where(queue.waiting, queue.due, table.c.root_id == hops.c.root_id)
        .order_by(queue.order)  # else PostgreSQL may hope to meet one in the whole table soon
        .limit(1)
        .correlate(hops)
        .scalar_subquery()
    )
    return select(hops.c.root_id).where(hops.c.root_id.is_not(None), first_due.is_not(None))


def waiting_rows(queue: Queue, most: int | None, *columns: Column[Any]) -> Subquery:
    """Choose columns of all rows that wait; no more than `most` of them are looked at."""
    rows = select(*columns).where(queue.waiting)
    if most is not None:
        rows = rows.order_by(queue.table.c.root_id, queue.order).limit(most)
    return rows.subquery()


async def find_earliest(tx: Transaction, queue: Queue) -> datetime | None:
    """Return the instant of the row that stands first in a queue."""
    hops = _hops(queue)
    least = (
        select(func.min(queue.order))
        .where(queue.waiting, queue.table.c.root_id == hops.c.root_id)
        .correlate(hops)
        .scalar_subquery()
    )
    each = select(least.label("least")).where(hops.c.root_id.is_not(None)).subquery()
    found: datetime | None = (await tx.execute(select(func.min(each.c.least)))).scalar()
    return found


def _hops(queue: Queue) -> CTE:
    """Hop from root to root along the index.

    A DISTINCT would read every waiting row, a million of them after an outage; this reads one a
    root. The last row of it is NULL.
    """
    table = queue.table

    def next_root(*after: ColumnElement[bool]) -> Any:
        query = select(table.c.root_id).where(queue.waiting, *after)
        return query.order_by(table.c.root_id).limit(1).scalar_subquery()

    first = select(next_root().label("root_id")).cte("hops", recursive=True)
    before = first.alias("before")
    following = next_root(table.c.root_id > before.c.root_id)
    return first.union_all(select(following).where(before.c.root_id.is_not(None)))
