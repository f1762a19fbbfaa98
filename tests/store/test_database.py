"""Engines and transactions: what is promised whichever database it is, and how it is named."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy.exc
from sqlalchemy import insert, select, text

from authreset.store.database import (
    Database,
    database_url,
)
from authreset.store.embedded_intake import SqliteAppender
from authreset.store.events import Event, add_events
from authreset.store.requests import count_waiting
from authreset.store.schema import migrate
from authreset.store.tables import events, users
from tests.support.databases import EMAILS, START, Tree, open_database
from tests.support.postgres import PostgresServer, free_port

ENDINGS = ("", "-shm", "-wal")


@pytest.fixture
async def remote(postgres_url: str) -> AsyncIterator[Database]:
    database = open_database(postgres_url)
    yield database
    await database.close()


async def note(db: Database, kind: str) -> None:
    async with db.begin() as tx:
        await add_events(tx, [Event(at=START, kind=kind, actor="test")])


async def kinds(db: Database) -> list[str]:
    async with db.read() as tx:
        return list((await tx.execute(select(events.c.kind).order_by(events.c.id))).scalars())


async def test_of_several_who_open_a_new_file_none_is_turned_away(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'new.db'}")
    other = sqlite3.connect(tmp_path / "new.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # as one who just changes its journal mode
    opening = asyncio.create_task(table_names(database))
    await asyncio.wait({opening}, timeout=0.1)
    assert not opening.done()
    other.close()
    assert await opening == []
    await database.close()


async def table_names(db: Database) -> list[str]:
    async with db.read() as tx:
        return list((await tx.execute(text("SELECT name FROM sqlite_schema"))).scalars())


async def test_a_fault_tells_no_address(database: Database, tree: Tree) -> None:
    email = next(iter(EMAILS.values()))
    row = {
        "root_id": tree.root.id, "email": email, "email_key": email, "name": "A", "status": 1,
        "created_at": START,
    }  # fmt: skip
    with pytest.raises(sqlalchemy.exc.IntegrityError) as caught:
        async with database.begin() as tx:
            await tx.execute(insert(users).values(row | {"id": 1}))
    told: BaseException | None = caught.value
    while told is not None:
        assert email not in f"{told} {told!r}"
        told = told.__cause__ or told.__context__


async def test_a_failed_block_leaves_nothing_behind(database: Database) -> None:
    async def fail_midway() -> None:
        async with database.begin() as tx:
            await add_events(tx, [Event(at=START, kind="undone", actor="test")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_midway()
    assert await kinds(database) == []


async def test_many_writers_at_once_are_all_heard(database: Database, another: Database) -> None:
    await asyncio.gather(*(note((database, another)[n % 2], f"{n:02}") for n in range(16)))
    assert sorted(await kinds(database)) == [f"{n:02}" for n in range(16)]


async def test_a_reader_does_not_wait_for_a_writer(database: Database, another: Database) -> None:
    async with database.begin() as tx:
        await add_events(tx, [Event(at=START, kind="unseen", actor="test")])
        assert await kinds(another) == []
        assert await kinds(database) == []


async def test_sqlite_commits_reach_the_disk(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    async with database.begin() as tx:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert (await tx.execute(text(f"PRAGMA {pragma}"))).scalar_one() == value
    await database.close()


async def test_postgres_ends_what_a_dead_process_left_open(remote: Database) -> None:
    async with remote.read() as tx:
        shown = await tx.execute(text("SHOW idle_in_transaction_session_timeout"))
        assert shown.scalar_one() == "1min"


async def test_a_postgres_url_may_say_what_libpq_understands(
    postgres: PostgresServer, postgres_url: str
) -> None:
    name = postgres_url.rpartition("/")[2]
    for url in (
        f"{postgres_url}?sslmode=disable",
        postgres_url.replace("postgresql://", "postgres://"),
        postgres.socket_url(name),
        f"postgresql://postgres@/{name}?host=127.0.0.1,127.0.0.1&port={free_port()},{postgres.port}",
    ):
        database = open_database(url)
        assert await kinds(database) == []
        await database.close()


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgresql://u:p@h/n", "postgresql+asyncpg"),
        ("postgres://u:p@h/n", "postgresql+asyncpg"),
        ("postgresql+psycopg://u:p@h/n", "postgresql+asyncpg"),
        ("sqlite:///some/file.db", "sqlite+aiosqlite"),
    ],
)
def test_a_url_gets_our_driver(given: str, driver: str) -> None:
    assert database_url(given, Path("unused")).drivername == driver


def test_without_a_url_there_is_a_file_in_the_data_directory(tmp_path: Path) -> None:
    url = database_url("", tmp_path / "made")
    assert url.database == str(tmp_path / "made" / "authreset.db")
    assert (tmp_path / "made").is_dir()


async def test_an_embedded_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Addresses and hashes of passwords stand in it, and a usual umask lets everybody read."""
    database = Database(database_url("", tmp_path / "made"))
    before = os.umask(0o022)
    try:
        async with database.begin() as tx:
            await tx.execute(text("CREATE TABLE one (id INTEGER)"))
            made = sorted((tmp_path / "made").iterdir())
            assert [path.name for path in made] == [f"authreset.db{end}" for end in ENDINGS]
            assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}
    finally:
        os.umask(before)
        await database.close()
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o700


async def test_an_embedded_database_may_lie_under_any_name(tmp_path: Path) -> None:
    """Signs that mean something in a URL mean nothing in a directory's name."""
    database = Database(database_url("", tmp_path / "100%41 #1?mode=ro&x"))
    appender = SqliteAppender(database.url)
    try:
        await migrate(database)
        row = (UUID(int=7), START, "api", None, None, 1, 1, None, None)
        await appender.append([row])
        await appender.moved()
        async with database.read() as tx:
            assert (await count_waiting(tx))[0] == 1
    finally:
        await appender.close()
        await database.close()


@pytest.mark.parametrize(
    "given", ["mysql://u:secret@h/n", "secret", "sqlite://", "sqlite:///:memory:", "//secret:x@/"]
)
def test_another_url_is_refused_without_repeating_it(given: str) -> None:
    with pytest.raises(ValueError, match="expected postgresql://") as caught:
        database_url(given, Path("unused"))
    assert "secret" not in str(caught.value)
