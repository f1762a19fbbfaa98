"""Whose turn it is: the root organisations that have something waiting, found without a scan."""

from typing import Any

from sqlalchemy import ColumnElement, Table, select

from authreset.store.database import Transaction

MOST_ROOTS = 200


async def waiting_roots(tx: Transaction, table: Table, waiting: ColumnElement[bool]) -> list[int]:
    """Return the ids of roots with waiting rows, by hopping from one to the next along the index.

    `waiting` must be the condition of a partial index of `table` that starts with root_id. A
    DISTINCT would read every waiting row, a million of them after an outage; this reads one a root.
    """

    def next_root(after: ColumnElement[Any] | None) -> Any:
        query = select(table.c.root_id).where(waiting)
        if after is not None:
            query = query.where(table.c.root_id > after)
        return query.order_by(table.c.root_id).limit(1).scalar_subquery()

    hops = select(next_root(None).label("root_id")).cte("hops", recursive=True)
    again = hops.alias()
    hops = hops.union_all(select(next_root(again.c.root_id)).where(again.c.root_id.is_not(None)))
    query = select(hops.c.root_id).where(hops.c.root_id.is_not(None)).limit(MOST_ROOTS)
    return [root_id for (root_id,) in await tx.execute(query)]
