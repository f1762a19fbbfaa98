"""Accepting: "recorded" is said after the commit alone, and what cannot be said is a value."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from authreset.flows.accept_request import (
    FULL,
    RECORDED,
    REFUSED,
    Intake,
    NewRequest,
    Unavailable,
)
from authreset.store.database import Database, StoreUnavailable
from authreset.store.intake import Appender, PostgresAppender
from authreset.store.tables import requests
from authreset.wiring import open_appender
from tests.flows.processing import rows_of
from tests.support.appending import until_moved
from tests.support.databases import START, SeededBytes, Tree, open_database


def request_for(tree: Tree, random_bytes: SeededBytes, **changes) -> NewRequest:
    plain = NewRequest(
        id=random_bytes.uuid(),
        received_at=START + timedelta(seconds=0.25),
        source="api",
        token_id=3,
        user_id=None,
        entity_id=tree.shop.id,
        root_id=tree.root.id,
        email="ada@example.com",
        client_address="203.0.113.7",
    )
    return plain._replace(**changes)


@pytest.fixture
async def appender(database: Database):
    opened = open_appender(database)
    yield opened
    await opened.close()


@pytest.fixture
async def intake(appender: Appender):
    opened = Intake(appender.append)
    yield opened
    await opened.close()


async def test_recorded_request_is_in_the_database_as_it_was_asked(
    intake, appender, another, tree, random_bytes
):
    request = request_for(tree, random_bytes)
    assert await intake.record(request) is RECORDED
    await until_moved(appender)
    (row,) = await rows_of(another, requests)
    assert row["received_at"] == START + timedelta(seconds=0.25)
    kept = {name: row[name] for name in NewRequest._fields if name != "received_at"}
    assert kept == {k: v for k, v in request._asdict().items() if k != "received_at"}
    assert row["outcome"] is None


async def test_requests_at_one_time_are_all_recorded(
    intake, appender, database, tree, random_bytes
):
    many = [request_for(tree, random_bytes) for _ in range(300)]
    answers = await asyncio.gather(*(intake.record(one) for one in many))
    assert set(answers) == {RECORDED}
    await until_moved(appender)
    assert {row["id"] for row in await rows_of(database, requests)} == {one.id for one in many}


async def test_row_that_the_database_refuses_fails_alone(
    intake, appender, database, tree, random_bytes
):
    """Validation refuses such a row long before; were it to slip through, its batch lives on."""
    good = [request_for(tree, random_bytes) for _ in range(20)]
    bad = request_for(tree, random_bytes, entity_id="no number" if database.is_postgres else None)
    with capture_logs() as logs:
        answers = await asyncio.gather(*(intake.record(one) for one in [*good[:9], bad, *good[9:]]))
    assert answers == [RECORDED] * 9 + [REFUSED] + [RECORDED] * 11
    await until_moved(appender)
    assert len(await rows_of(database, requests)) == 20
    assert [line["event"] for line in logs] == ["row_refused"]


async def test_told_later_is_the_same(intake, appender, database, tree, random_bytes):
    told: asyncio.Queue = asyncio.Queue()
    intake.record_soon(request_for(tree, random_bytes), told.put_nowait)
    assert await told.get() is RECORDED
    await until_moved(appender)
    assert len(await rows_of(database, requests)) == 1


async def test_database_that_is_away_is_unavailable(random_bytes, tree):
    async def away(_rows):
        raise StoreUnavailable("gone")

    intake = Intake(away)
    assert await intake.record(request_for(tree, random_bytes)) == Unavailable("gone")


async def test_full_intake_says_so_at_once(random_bytes, tree):
    may_commit = asyncio.Event()

    async def wait(_rows):
        await may_commit.wait()

    intake = Intake(wait, most_waiting=2)
    recording = [asyncio.create_task(intake.record(request_for(tree, random_bytes)))]
    await asyncio.sleep(0)  # the first is being written; two more may wait
    await asyncio.sleep(0)
    recording += [
        asyncio.create_task(intake.record(request_for(tree, random_bytes))) for _ in range(2)
    ]
    await asyncio.sleep(0)
    assert await intake.record(request_for(tree, random_bytes)) is FULL
    may_commit.set()
    assert await asyncio.gather(*recording) == [RECORDED] * 3


async def test_closing_waits_for_what_was_taken(random_bytes, tree):
    written: list = []

    async def write(rows):
        await asyncio.sleep(0.01)
        written.extend(rows)

    intake = Intake(write)
    for _ in range(5):
        intake.record_soon(request_for(tree, random_bytes), lambda _: None)
    await intake.close()
    assert len(written) == 5


async def test_nothing_is_recorded_while_the_commit_is_open(postgres_url, random_bytes):
    """A 200 before the commit would be a lie."""
    database = open_database(postgres_url)
    appender = PostgresAppender(database.url)
    intake = Intake(appender.append)
    request = NewRequest(random_bytes.uuid(), START, "api", None, None, 1, 1, None, None)
    async with database.begin() as tx:
        await tx.exec_driver_sql("LOCK TABLE requests IN EXCLUSIVE MODE")
        recording = asyncio.create_task(intake.record(request))
        told, _ = await asyncio.wait([recording], timeout=0.2)
        assert not told
    assert await recording is RECORDED
    await intake.close()
    await appender.close()
    await database.close()
