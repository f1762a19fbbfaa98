"""Whose turn it is: how much each root organisation gets of a batch, found without a scan."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, Column, ColumnElement, Table, func, select

from authreset.store.database import Transaction


def fair_shares(available: Mapping[int, int], limit: int, turn: int) -> dict[int, int]:
    """Divide a batch among roots that have so much: equal shares, and what one leaves the others.

    `turn` says who begins. When there are more roots than places, each has its turn in time.
    """
    roots = list(available)
    begin = turn % len(roots) if roots else 0
    order = roots[begin:] + roots[:begin]
    shares = dict.fromkeys(order, 0)
    left = limit
    while left and (hungry := [one for one in order if shares[one] < available[one]]):
        for root in hungry[:left]:
            more = min(max(left // len(hungry), 1), available[root] - shares[root])
            shares[root] += more
        left = limit - sum(shares.values())
    return {root: share for root, share in shares.items() if share}


@dataclass(frozen=True, slots=True)
class Queue:
    """Rows that wait, and the partial index by which they are found.

    The index has the condition `waiting` and the columns root_id and `order`.
    """

    table: Table
    waiting: ColumnElement[bool]
    order: Column[datetime]


async def share_out(
    tx: Transaction, queue: Queue, due: ColumnElement[bool], *, limit: int, now: datetime
) -> dict[int, int]:
    """Return, by root, how many of its due rows a batch takes. Who begins changes with the time."""
    hops, table = _hops(queue), queue.table
    some = (
        select(table.c.id)
        .where(queue.waiting, due, table.c.root_id == hops.c.root_id)
        .order_by(queue.order)  # else PostgreSQL may hope to meet so many in the whole table soon
        .limit(limit)
        .correlate(hops)
        .subquery()
    )
    counted = select(func.count()).select_from(some).scalar_subquery()
    query = select(hops.c.root_id, counted).where(hops.c.root_id.is_not(None))
    available = {root_id: count for root_id, count in await tx.execute(query) if count}
    return fair_shares(available, limit, int(now.timestamp() * 1_000_000))


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
