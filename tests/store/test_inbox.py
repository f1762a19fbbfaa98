"""The inbox of the embedded database: callers do not wait for the worker, and nothing is lost."""

import asyncio
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from authreset.store.database import Database, StoreUnavailable, database_url
from authreset.store.embedded_intake import SqliteAppender
from authreset.store.intake import Row
from authreset.store.requests import count_waiting
from authreset.store.schema import migrate
from tests.support.busy import busy_with
from tests.support.databases import START


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(database_url("", tmp_path))
    await migrate(database)
    yield database
    await database.close()


@pytest.fixture
async def appender(embedded: Database) -> AsyncIterator[SqliteAppender]:
    opened = SqliteAppender(embedded.url)
    yield opened
    await opened.close()


def row(number: int) -> Row:
    return (UUID(int=number), START, "api", 1, None, 2, 1, f"u{number}@example.com", "192.0.2.1")


def file_of(database: Database) -> str:
    return str(database.url.database)


def numbers(path: str, table: str) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(f"SELECT id FROM {table} ORDER BY id").fetchall()
    return [int(id, 16) for (id,) in found]


def moved(database: Database) -> list[int]:
    return numbers(file_of(database), "requests")


def kept(database: Database) -> list[int]:
    return numbers(f"{file_of(database)}-inbox", "arrivals")


@contextmanager
def writing_to(database: Database, ending: str = "") -> Iterator[None]:
    """Hold a file as a worker does that never ends its transaction."""
    with closing(sqlite3.connect(file_of(database) + ending, isolation_level=None)) as worker:
        worker.execute("BEGIN IMMEDIATE")
        yield


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 -- a file gives no sign when rows come or go
            await asyncio.sleep(0.01)


async def test_a_caller_does_not_wait_for_whoever_writes_to_the_database(
    embedded: Database, appender: SqliteAppender
) -> None:
    with writing_to(embedded):
        await appender.append([row(1)])
        await appender.append([row(2), row(3)])
        assert (moved(embedded), kept(embedded)) == ([], [1, 2, 3])
    await appender.moved()
    assert (moved(embedded), kept(embedded)) == ([1, 2, 3], [])


async def test_of_several_who_make_the_inbox_none_is_turned_away(embedded: Database) -> None:
    with writing_to(embedded, "-inbox"):  # as a process that just changes its journal mode
        appender = SqliteAppender(embedded.url)
        appending = asyncio.create_task(appender.append([row(1)]))
        await asyncio.wait({appending}, timeout=0.1)
        assert not appending.done()
    await appending
    await appender.moved()
    assert moved(embedded) == [1]
    await appender.close()


async def test_a_request_is_moved_as_it_was_appended(
    embedded: Database, appender: SqliteAppender
) -> None:
    await appender.append([row(1)])
    await appender.moved()
    async with embedded.read() as tx:
        assert await count_waiting(tx) == (1, START)
    columns = "source, token_id, user_id, entity_id, root_id, email, client_address"
    with closing(sqlite3.connect(file_of(embedded))) as connection:
        (found,) = connection.execute(f"SELECT {columns} FROM requests").fetchall()
    assert found == row(1)[2:]


async def test_it_waits_no_longer_than_it_must_and_says_so_once(
    embedded: Database, appender: SqliteAppender
) -> None:
    with capture_logs() as logs, writing_to(embedded):
        await appender.append([row(1)])
        with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
            await appender.moved()
        with pytest.raises(StoreUnavailable):
            await appender.append([row(2)])
        with pytest.raises(StoreUnavailable):
            await appender.moved()
    assert [(line["event"], line["reason"]) for line in logs] == [("inbox_waits", "SQLITE_BUSY")]
    await appender.moved()
    await appender.append([row(3)])
    await appender.moved()
    assert (moved(embedded), kept(embedded)) == ([1, 3], [])


async def test_what_was_moved_and_not_yet_removed_is_not_there_twice(
    embedded: Database, appender: SqliteAppender
) -> None:
    await appender.append([row(1)])
    await appender.moved()
    async with embedded.begin() as tx:
        await tx.exec_driver_sql("UPDATE requests SET outcome = 'no_user', settled_at = 1")
    await appender.append([row(1), row(2)])
    await appender.moved()
    assert (moved(embedded), kept(embedded)) == ([1, 2], [])
    async with embedded.read() as tx:
        assert (await count_waiting(tx))[0] == 1


async def test_what_a_closed_one_could_not_move_is_moved_by_the_next(embedded: Database) -> None:
    first = SqliteAppender(embedded.url)
    with writing_to(embedded):
        await first.append([row(1)])
        await first.close()
    assert (moved(embedded), kept(embedded)) == ([], [1])
    second = SqliteAppender(embedded.url)
    await until(lambda: kept(embedded) == [])  # nobody asks it to
    await second.close()
    assert moved(embedded) == [1]


async def test_what_was_written_after_its_caller_gave_up_is_moved_too(
    embedded: Database, appender: SqliteAppender
) -> None:
    await appender.append([row(1)])
    await appender.moved()
    with writing_to(embedded, "-inbox"):
        appending = asyncio.create_task(appender.append([row(2)]))
        await asyncio.wait({appending}, timeout=0.1)
        appending.cancel()
        await asyncio.wait({appending})
    await until(lambda: moved(embedded) == [1, 2])


APPENDS_UNTIL_KILLED = """
import asyncio, sys
from datetime import datetime, UTC
from uuid import UUID
from sqlalchemy.engine import make_url
from authreset.store.embedded_intake import SqliteAppender

async def main():
    appender = SqliteAppender(make_url("sqlite+aiosqlite:///" + sys.argv[1]))
    number = int(sys.argv[2])
    while True:
        row = (UUID(int=number), datetime.now(UTC), "api", 1, None, 2, 1, "a@example.com", None)
        await appender.append([row])
        print(number, flush=True)
        number += 1

asyncio.run(main())
"""


def append_until_killed(path: str, first: int, count: int) -> list[int]:
    """Kill a process that appends, soon after so many were acknowledged; return all that were."""
    command = [sys.executable, "-c", APPENDS_UNTIL_KILLED, path, str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(count)]
        os.kill(process.pid, signal.SIGKILL)
        told += process.stdout.readlines()
    return [int(line) for line in told if line.endswith("\n")]


async def test_what_was_acknowledged_by_one_that_was_killed_is_moved_by_the_next(
    embedded: Database,
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"{seed=}")
    chance, acknowledged, lives = random.Random(seed), list[int](), 5
    for life in range(lives):
        count = chance.randrange(1, 200)
        acknowledged += append_until_killed(file_of(embedded), life * 10**6, count)
    appender = SqliteAppender(embedded.url)
    await appender.moved()
    await appender.close()
    assert set(acknowledged) <= set(moved(embedded))
    assert len(moved(embedded)) <= len(acknowledged) + lives  # one was under way at each death
    assert kept(embedded) == []


async def test_a_number_in_the_inbox_is_never_used_twice(
    embedded: Database, appender: SqliteAppender
) -> None:
    """Else one who removes what it moved could remove what came since, when two move at once."""
    await appender.append([row(1), row(2)])
    await appender.moved()
    with writing_to(embedded):
        await appender.append([row(3)])
        with closing(sqlite3.connect(f"{file_of(embedded)}-inbox")) as inbox:
            assert inbox.execute("SELECT number FROM arrivals").fetchall() == [(3,)]


async def test_two_who_move_at_once_lose_nothing(embedded: Database) -> None:
    appenders = [SqliteAppender(embedded.url) for _ in range(2)]

    async def append_all(appender: SqliteAppender, numbers: range) -> None:
        for number in numbers:
            await appender.append([row(number)])

    await asyncio.gather(
        append_all(appenders[0], range(0, 1000, 2)), append_all(appenders[1], range(1, 1000, 2))
    )
    for appender in appenders:
        await appender.close()
    assert (moved(embedded), kept(embedded)) == ([*range(1000)], [])


async def test_a_busy_worker_leaves_gaps_enough_for_a_move(
    embedded: Database, appender: SqliteAppender
) -> None:
    with busy_with(file_of(embedded)):
        for number in range(10):
            await appender.append([row(number)])
            await appender.moved()
    assert moved(embedded) == list(range(10))


async def test_more_than_one_move_takes_is_moved_in_order(
    embedded: Database, appender: SqliteAppender
) -> None:
    with writing_to(embedded):
        await appender.append([row(number) for number in range(2500)])
    await appender.moved()
    assert (moved(embedded), kept(embedded)) == ([*range(2500)], [])


async def test_nothing_is_taken_for_a_database_that_is_not_there(tmp_path: Path) -> None:
    appender = SqliteAppender(database_url("", tmp_path / "new"))
    with pytest.raises(StoreUnavailable):
        await appender.append([row(1)])
    await appender.close()
    assert not (tmp_path / "new" / "authreset.db").exists()


async def test_only_its_owner_may_read_it(embedded: Database, appender: SqliteAppender) -> None:
    await appender.append([row(1)])
    beside = [path for path in Path(file_of(embedded)).parent.iterdir() if "inbox" in path.name]
    assert beside
    assert {stat.S_IMODE(path.stat().st_mode) for path in beside} == {0o600}
