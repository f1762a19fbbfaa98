"""Statements that several nouns share, and what the two databases spell differently.

Which rows are meant is never decided here.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnClause,
    ColumnElement,
    Table,
    any_,
    bindparam,
    delete,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

from authreset.store.database import Transaction

T = TypeVar("T")


def insert_or(tx: Transaction, table: Table) -> Any:
    """Return an INSERT that can be told what to do on a conflict."""
    dialect: Any = sqlite if tx.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


def is_one_of(tx: Transaction, column: Column[T], values: Collection[T]) -> ColumnElement[bool]:
    """Return the condition that a column has one of these values."""
    if tx.dialect.name == "sqlite":
        return column.in_(values)
    return column == any_(bindparam(None, list(values), ARRAY(column.type)))


def is_one_pair_of(
    tx: Transaction, columns: Sequence[Column[Any]], pairs: Collection[tuple[Any, Any]]
) -> ColumnElement[bool]:
    """Return the condition that two columns have the values of one of these pairs, at least one."""
    if tx.dialect.name == "sqlite":
        return tuple_(*columns).in_(list(pairs))
    return tuple_(*columns).in_(select(unnested(columns, pairs)))


def unnested(columns: Sequence[ColumnClause[Any]], rows: Collection[tuple[Any, ...]]) -> Any:
    """Return rows as a table of these columns, on PostgreSQL: each column is one array.

    However many rows there are, the statement is the same text. A list of them would be another
    statement for each number of rows, and planning it take longer than running it.
    """
    arrays = [
        bindparam(None, list(values), ARRAY(column.type))
        for column, values in zip(columns, zip(*rows, strict=True), strict=True)
    ]
    given = func.unnest(*arrays).table_valued(*(column.name for column in columns), name="given")
    return given.render_derived()


async def delete_before(
    tx: Transaction,
    column: Column[datetime],
    before: datetime,
    limit: int,
    also: ColumnElement[bool] | None = None,
) -> int:
    """Remove up to `limit` rows that nobody holds, the earliest first; return how many there were.

    A table that grows must have an index that begins with the column; `also` may narrow it.
    """
    table: Any = column.table
    (key,) = table.primary_key.columns
    # In order, for then the index is read: without it PostgreSQL may hope to meet so many old rows
    # soon, and read for each batch over all those that the batches before it removed.
    chosen = select(key).where(column < before).order_by(column).limit(limit)
    if also is not None:
        chosen = chosen.where(also)
    # A CTE, since PostgreSQL may run a subquery of an IN more than once, each time taking others.
    held = chosen.with_for_update(skip_locked=True).cte("chosen")
    # Counted by what it returns: SQLite's driver gives no count for a statement that begins WITH.
    statement = delete(table).where(key.in_(select(held))).returning(key)
    return len((await tx.execute(statement)).all())
