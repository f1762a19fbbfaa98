"""Statements that several nouns share, and what the two databases spell differently.

Which rows are meant is never decided here.
"""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnClause,
    ColumnElement,
    FromClause,
    Table,
    and_,
    any_,
    bindparam,
    delete,
    func,
    literal,
    select,
    update,
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


def match_pairs(
    tx: Transaction, columns: Sequence[Column[Any]], pairs: Collection[tuple[Any, Any]]
) -> tuple[FromClause, ColumnElement[bool]]:
    """Return pairs, at least one, as a table, and when two columns have the values of one of them.

    To be joined: SQLite reads a whole index for a condition that two columns are IN pairs.
    """
    if tx.dialect.name == "sqlite":
        given = func.json_each(json.dumps(list(pairs))).table_valued("value", name="given")
        values = [func.json_extract(given.c.value, f"$[{place}]") for place in range(2)]
    else:
        given = unnested(columns, pairs)
        values = [given.c[column.name] for column in columns]
    return given, and_(*(column == value for column, value in zip(columns, values, strict=True)))


def unnested(columns: Sequence[ColumnClause[Any]], rows: Collection[tuple[Any, ...]]) -> Any:
    """Return rows as a table of these columns, on PostgreSQL: each column is one array.

    However many rows there are, the statement is the same text. A list of them would be another
    statement for each number of rows, and planning it take longer than running it.
    """
    arrays = [
        bindparam(None, list(values), _array_of(column))
        for column, values in zip(columns, zip(*rows, strict=True), strict=True)
    ]
    return _unnested(columns, arrays)


def unnested_later(columns: Sequence[ColumnClause[Any]]) -> Any:
    """Return the same for a statement that is kept, and run with a list by each column's name."""
    arrays = [bindparam(column.name, type_=_array_of(column)) for column in columns]
    return _unnested(columns, arrays)


def _array_of(column: ColumnClause[T]) -> ARRAY[T]:
    return ARRAY(column.type, dimensions=1)  # though a value may be a list


def _unnested(columns: Sequence[ColumnClause[Any]], arrays: Sequence[Any]) -> Any:
    given = func.unnest(*arrays).table_valued(*(column.name for column in columns), name="given")
    return given.render_derived()


async def insert_each(
    tx: Transaction,
    insert: Any,
    columns: Sequence[Column[Any]],
    rows: Collection[tuple[Any, ...]],
    **alike: Any,
) -> Any:
    """Run an INSERT with rows, at least one, each of which has values of its own for these columns.

    All of them get the values in `alike`. Returns what the INSERT returns.
    """
    names = [one.name for one in columns]
    if tx.dialect.name == "sqlite":
        own_rows = [dict(zip(names, row, strict=True)) | alike for row in rows]
        return await tx.execute(insert, own_rows)
    same = [literal(value, insert.table.c[name].type) for name, value in alike.items()]
    query = select(unnested(columns, rows), *same)
    return await tx.execute(insert.from_select([*names, *alike], query))


async def update_each(
    tx: Transaction,
    columns: Sequence[Column[Any]],
    rows: Collection[tuple[Any, ...]],
    **alike: Any,
) -> None:
    """Change rows, at least one, each to values of its own for these columns: first its key.

    All of them get the values in `alike`.
    """
    key, *changed = columns
    statement = update(key.table).values(alike)
    if tx.dialect.name == "sqlite":
        names = ["own_key", *(one.name for one in changed)]
        own_rows = [dict(zip(names, row, strict=True)) for row in rows]
        await tx.execute(statement.where(key == bindparam("own_key")), own_rows)
        return
    given = unnested(columns, rows)
    # Found by key, and then joined: a join alone reads all rows of a small table, and PostgreSQL
    # may keep that plan while a flood fills it.
    is_meant = is_one_of(tx, key, [own for own, *_ in rows])
    joined = statement.where(key == given.c[key.name], is_meant)
    await tx.execute(joined.values({one.name: given.c[one.name] for one in changed}))


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
