"""Statements that several nouns share, and what the two databases spell differently.

Which rows are meant is never decided here.
"""

from typing import Any

from sqlalchemy import ColumnElement, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from authreset.store.database import Transaction


def insert_or(tx: Transaction, table: Table) -> Any:
    """Return an INSERT that can be told what to do on a conflict."""
    dialect: Any = sqlite if tx.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


async def delete_some(
    tx: Transaction, table: Table, condition: ColumnElement[bool], limit: int
) -> int:
    """Remove up to `limit` rows that nobody holds, and return how many there were."""
    (key,) = table.primary_key.columns
    # A CTE, since PostgreSQL may run a subquery of an IN more than once, each time taking others.
    chosen = (
        select(key).where(condition).limit(limit).with_for_update(skip_locked=True).cte("chosen")
    )
    # Counted by what it returns: SQLite's driver gives no count for a statement that begins WITH.
    statement = delete(table).where(key.in_(select(chosen))).returning(key)
    return len((await tx.execute(statement)).all())
