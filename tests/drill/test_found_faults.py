"""What the drill found in the product: each fault as a test of its own, which failed at first."""

import asyncio
import time
from pathlib import Path

import asyncpg
import pytest
from drill.audit.calls import ANSWER_SECONDS
from drill.place import paused

from authreset.flows.accept_request import Accepted, Intake, NewRequest, Unavailable
from authreset.store.database import Database, StoreUnavailable, database_url, is_outage
from authreset.store.intake import PostgresAppender
from tests.drill.leaving import leaving_server
from tests.support.databases import START, SeededBytes
from tests.support.postgres import PostgresServer


def new_request(random_bytes: SeededBytes) -> NewRequest:
    return NewRequest(random_bytes.uuid(), START, "api", 1, None, 1, 1, "a@example.com", None)


async def test_intake_that_is_sent_away_while_it_begins_is_told_of_an_outage():
    async with leaving_server() as url:
        appender = PostgresAppender(database_url(url, Path("unused")))
        with pytest.raises(StoreUnavailable):
            await appender.append([new_request(SeededBytes())])
        await appender.close()


async def test_transaction_that_is_sent_away_while_it_begins_is_told_of_an_outage():
    async with leaving_server() as url:
        database = Database(database_url(url, Path("unused")))
        with pytest.raises(StoreUnavailable):
            async with database.begin() as tx:
                await tx.exec_driver_sql("SELECT 1")
        await database.close()


def test_server_that_still_recovers_is_an_outage_in_the_drivers_own_word_too():
    assert is_outage(asyncpg.CannotConnectNowError("the database system is starting up"))
    assert not is_outage(asyncpg.UndefinedColumnError("column does not exist"))


async def test_nobody_waits_longer_for_having_come_while_a_hung_database_was_asked(
    postgres: PostgresServer, postgres_url: str, random_bytes: SeededBytes
):
    appender = PostgresAppender(database_url(postgres_url, Path("unused")))
    intake = Intake(appender.append, flights=appender.flights)
    await intake.record(new_request(random_bytes))

    async def ask(after: float) -> tuple[Accepted, float]:
        await asyncio.sleep(after)
        begun = time.monotonic()
        return await intake.record(new_request(random_bytes)), time.monotonic() - begun

    with paused(postgres):
        told = await asyncio.gather(*(ask(n / 5) for n in range(10)))
    assert [type(answer) for answer, _ in told] == [Unavailable] * len(told)
    assert max(seconds for _, seconds in told) < ANSWER_SECONDS
    await intake.close()
    await appender.close()


async def test_database_that_hangs_with_connections_in_the_pool_is_told_in_time(
    postgres: PostgresServer, postgres_url: str
):
    database = Database(database_url(postgres_url, Path("unused")))
    async with database.read() as tx:
        await tx.exec_driver_sql("SELECT 1")
    with paused(postgres):
        begun = time.monotonic()
        for open_one in (database.read, database.begin):
            with pytest.raises(StoreUnavailable):
                async with open_one():
                    pass
        assert time.monotonic() - begun < 2 * ANSWER_SECONDS
    async with database.read() as tx:
        await tx.exec_driver_sql("SELECT 1")
    await database.close()
