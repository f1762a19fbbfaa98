"""Migrations: they lead to the declared tables, on both databases, once, whoever runs them."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from authreset.store import schema
from authreset.store.database import Database, StoreUnavailable
from authreset.store.schema import SchemaState, migrate, schema_state
from authreset.store.tables import metadata
from tests.support.databases import open_database
from tests.support.postgres import PostgresServer


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, tmp_path: Path, url_kind: str) -> str:
    if url_kind == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    server.drop_database("empty")
    return server.create_database("empty")


@pytest.fixture(params=["sqlite", "postgres"])
def url_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[Database]:
    database = open_database(empty_url)
    yield database
    await database.close()


@pytest.fixture
async def declared(tmp_path: Path, url_kind: str, request: pytest.FixtureRequest) -> Any:
    """Make the declared tables without any migration."""
    if url_kind == "sqlite":
        database = open_database(f"sqlite:///{tmp_path / 'declared.db'}")
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        server.drop_database("declared")
        database = open_database(server.create_database("declared"))
    async with database.begin() as tx:
        await tx.run_sync(metadata.create_all)
    yield database
    await database.close()


async def test_an_empty_database_is_behind_and_then_up_to_date(empty: Database) -> None:
    before = await schema_state(empty)
    applied = await migrate(empty)
    after = await schema_state(empty)
    assert (before.current, before.is_behind, before.is_ahead) == (None, True, False)
    assert applied
    assert applied[-1] == after.current == after.newest
    assert not after.is_behind
    assert not after.is_ahead
    assert await migrate(empty) == []


async def test_a_database_that_is_ahead_is_left_alone(empty: Database) -> None:
    await migrate(empty)
    async with empty.begin() as tx:
        await tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    state = await schema_state(empty)
    assert state.is_ahead
    assert not state.is_behind
    assert await migrate(empty) == []
    assert await schema_state(empty) == state


async def test_of_several_machines_one_applies_each_revision(empty_url: str) -> None:
    machines = [open_database(empty_url) for _ in range(4)]
    applied = await asyncio.gather(*(migrate(machine) for machine in machines))
    newest = (await schema_state(machines[0])).newest
    for machine in machines:
        await machine.close()
    together = [revision for one in applied for revision in one]
    assert together == sorted(set(together))
    assert together[-1] == newest


async def test_a_machine_does_not_wait_for_ever_for_its_turn(postgres_url: str) -> None:
    database = open_database(postgres_url)
    holding, held = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with database.begin() as tx:
            await schema.take_turn(tx)
            held.set()
            await holding.wait()

    holder = asyncio.create_task(hold())
    await held.wait()
    try:
        with pytest.raises(StoreUnavailable):
            await migrate(database, turn_seconds=0.1)
    finally:
        holding.set()
        await holder
        await database.close()


async def test_a_failed_revision_leaves_nothing_behind(empty: Database) -> None:
    async with empty.begin() as tx:
        await tx.execute(text("CREATE TABLE letters (id integer)"))  # in the way
    with pytest.raises(Exception, match="letters"):
        await migrate(empty)
    assert await schema_state(empty) == SchemaState(None, (await schema_state(empty)).newest)
    async with empty.read() as tx:
        tables = await tx.run_sync(lambda connection: inspect(connection).get_table_names())
    assert set(tables) <= {"letters"}


async def test_migrations_lead_to_the_declared_tables(database: Database) -> None:
    async with database.read() as tx:
        assert await tx.run_sync(_differences) == []


async def test_every_index_default_and_constraint_is_as_declared(
    empty: Database, declared: Database
) -> None:
    await migrate(empty)
    async with empty.read() as tx:
        migrated = await tx.run_sync(_catalogue)
    async with declared.read() as tx:
        wanted = await tx.run_sync(_catalogue)
    assert migrated.keys() == wanted.keys()
    assert migrated == wanted
    assert any("WHERE" in line for line in wanted["letters"])


async def test_the_drift_check_sees_a_changed_condition_of_an_index(database: Database) -> None:
    async with database.begin() as tx:
        before = await tx.run_sync(_catalogue)
        await tx.execute(text("DROP INDEX ix_letters_due"))
        await tx.execute(
            text("CREATE INDEX ix_letters_due ON letters (root_id, due_at) WHERE attempts = 0")
        )
        assert (await tx.run_sync(_catalogue))["letters"] != before["letters"]
        await tx.rollback()


def _differences(connection: Connection) -> list[Any]:
    # Server defaults are compared below: Alembic takes an IDENTITY for one, which SQLite has not.
    options = {"compare_type": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def _catalogue(connection: Connection) -> dict[str, list[str]]:
    """Return, by table, what the database itself says about it, in its own words."""
    read = _read_postgres if connection.dialect.name == "postgresql" else _read_sqlite
    names = inspect(connection).get_table_names()
    return {name: sorted(read(connection, name)) for name in names if name != "alembic_version"}


def _read_sqlite(connection: Connection, table: str) -> list[str]:
    found = connection.execute(
        text("SELECT sql FROM sqlite_schema WHERE tbl_name = :table AND sql IS NOT NULL"),
        {"table": table},
    )
    # Lines of a CREATE TABLE, whose order is that of the columns; constraints may differ in order.
    return [re.sub(r",?\s*$", "", line.strip()) for (sql,) in found for line in sql.splitlines()]


_POSTGRES_SAYS = (
    "SELECT concat_ws(' ', column_name, data_type, character_maximum_length, is_nullable,"
    " column_default, is_identity, identity_generation, identity_start)"
    " FROM information_schema.columns WHERE table_name = :table AND table_schema = 'public'",
    "SELECT indexdef FROM pg_indexes WHERE tablename = :table",
    "SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE conrelid = cast(:table as regclass)",
)


def _read_postgres(connection: Connection, table: str) -> list[str]:
    return [
        line
        for statement in _POSTGRES_SAYS
        for (line,) in connection.execute(text(statement), {"table": table})
    ]
