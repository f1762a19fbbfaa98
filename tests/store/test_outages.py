"""A database that is away is told as such, and comes back without anyone's help."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import sqlalchemy.exc
from sqlalchemy import insert, select, text

from authreset.store.database import (
    CONNECT_SECONDS,
    Database,
    StoreUnavailable,
)
from authreset.store.events import Event, add_events
from authreset.store.tables import events
from tests.support.busy import busy_with
from tests.support.databases import START, Tree, open_database
from tests.support.postgres import PostgresServer, free_port


@pytest.fixture
def mortal(postgres: PostgresServer, postgres_url: str) -> Iterator[PostgresServer]:
    """Lend the server to a test that ends it; it runs again when the test is over."""
    yield postgres
    if not postgres.is_running():
        postgres.start()


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


async def test_a_stopped_server_is_told_quickly_and_its_return_is_noticed(
    mortal: PostgresServer, remote: Database
) -> None:
    await note(remote, "before")
    await asyncio.to_thread(mortal.stop)
    for _ in range(3):
        since = time.monotonic()
        with pytest.raises(StoreUnavailable, match="ConnectionRefusedError"):
            await note(remote, "lost")
        with pytest.raises(StoreUnavailable):
            await kinds(remote)
        assert time.monotonic() - since < 2 * CONNECT_SECONDS
    await asyncio.to_thread(mortal.start)
    await note(remote, "after")
    assert await kinds(remote) == ["before", "after"]


async def test_a_crash_loses_what_was_not_committed_and_nothing_else(
    mortal: PostgresServer, remote: Database
) -> None:
    await note(remote, "committed")

    async def crash_midway() -> None:
        async with remote.begin() as tx:
            await add_events(tx, [Event(at=START, kind="open", actor="test")])
            await asyncio.to_thread(mortal.crash)

    with pytest.raises(StoreUnavailable):
        await crash_midway()
    await asyncio.to_thread(mortal.start)
    assert await kinds(remote) == ["committed"]


async def test_every_connection_of_the_pool_is_made_anew(
    postgres: PostgresServer, remote: Database, postgres_url: str
) -> None:
    gate = asyncio.Barrier(6)

    async def hold() -> None:
        async with remote.begin() as tx:
            await tx.execute(text("SELECT 1"))
            await gate.wait()

    await asyncio.gather(*(hold() for _ in range(6)))
    assert postgres.terminate_backends(postgres_url.rpartition("/")[2]) == 6
    await asyncio.gather(*(hold() for _ in range(6)))


async def test_a_server_that_takes_the_call_and_says_nothing_is_away() -> None:
    hung_up = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    port = free_port()
    async with await asyncio.start_server(say_nothing, "127.0.0.1", port):
        database = open_database(f"postgresql://postgres@127.0.0.1:{port}/x")
        since = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await kinds(database)
        assert time.monotonic() - since < 2 * CONNECT_SECONDS
        await database.close()
        await hung_up.wait()


async def test_an_exhausted_pool_is_told_and_not_waited_for(postgres_url: str) -> None:
    database = open_database(postgres_url, pool_size=1)
    leave, inside = asyncio.Event(), asyncio.Semaphore(0)

    async def hold() -> None:
        async with database.begin() as tx:
            await tx.execute(text("SELECT 1"))
            inside.release()
            await leave.wait()

    holders = [asyncio.create_task(hold()) for _ in range(5)]
    for _ in holders:
        await inside.acquire()
    with pytest.raises(StoreUnavailable):
        await kinds(database)
    leave.set()
    await asyncio.gather(*holders)
    assert await kinds(database) == []
    await database.close()


async def test_a_server_that_only_reads_is_away_and_left(
    postgres: PostgresServer, postgres_url: str, remote: Database
) -> None:
    """As after a failover: the pool's connections are to the server that was the first."""
    await note(remote, "before")
    name = postgres_url.rpartition("/")[2]
    async with remote.begin() as tx:
        await tx.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
    with pytest.raises(StoreUnavailable, match="ReadOnlySQLTransactionError"):
        await note(remote, "refused")
    await note(remote, "after")
    assert await kinds(remote) == ["before", "after"]
    assert postgres.terminate_backends(name) == 1


async def test_a_wrong_statement_is_no_outage(database: Database, tree: Tree) -> None:
    for statement in ("SELECT * FROM no_such_table", "SELEKT 1", "SELECT no_such_function()"):
        with pytest.raises(sqlalchemy.exc.DBAPIError):
            async with database.begin() as tx:
                await tx.execute(text(statement))
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        async with database.begin() as tx:
            await tx.execute(insert(events).values(at=START, kind="x", actor=None, details={}))
    assert await kinds(database) == []


async def test_a_value_that_fits_no_column_is_no_outage(remote: Database) -> None:
    for values in ({"user_id": 2**80}, {"actor": "\0"}, {"actor": 7}):
        row = {"at": START, "kind": "x", "actor": "y", "details": {}, **values}
        with pytest.raises(sqlalchemy.exc.DBAPIError):
            async with remote.begin() as tx:
                await tx.execute(insert(events), [row])


async def test_a_busy_sqlite_file_is_away_until_it_is_free(sqlite_url: str) -> None:
    database = open_database(sqlite_url, busy_seconds=0)
    with sqlite3.connect(database.url.database or "", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
            await note(database, "refused")
        assert await kinds(database) == []
        other.execute("COMMIT")
    other.close()
    await note(database, "taken")
    assert await kinds(database) == ["taken"]
    await database.close()


async def test_whoever_keeps_a_sqlite_file_busy_leaves_gaps_enough(sqlite_url: str) -> None:
    database = open_database(sqlite_url, busy_seconds=4)
    with busy_with(str(database.url.database)):
        for number in range(10):
            await note(database, str(number))
    assert await kinds(database) == [str(number) for number in range(10)]
    await database.close()


async def test_a_full_disk_is_an_outage(sqlite_url: str) -> None:
    database = open_database(sqlite_url)

    async def write_too_much() -> None:
        async with database.begin() as tx:
            await tx.execute(text("PRAGMA max_page_count=1"))
            details = {"much": "x" * 1_000_000}
            await add_events(tx, [Event(at=START, kind="big", actor="test", details=details)])

    with pytest.raises(StoreUnavailable):
        await write_too_much()
    await database.close()


async def test_a_directory_that_is_missing_is_an_outage(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'missing' / 'x.db'}")
    with pytest.raises(StoreUnavailable):
        await kinds(database)
    await database.close()
    for thread in threading.enumerate():  # aiosqlite's has a last word for this event loop
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join)


async def test_a_setting_that_cannot_be_read_is_no_outage(postgres_url: str) -> None:
    database = open_database(f"{postgres_url}?sslmode=sometimes")
    with pytest.raises(sqlalchemy.exc.InterfaceError, match="sslmode"):
        await kinds(database)
    await database.close()
