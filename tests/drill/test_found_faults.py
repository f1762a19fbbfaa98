"""What the drill found in the product: each fault as a test of its own, which failed at first."""

from pathlib import Path

import asyncpg
import pytest

from authreset.store.database import Database, StoreUnavailable, database_url, is_outage
from authreset.store.intake import PostgresAppender
from tests.drill.leaving import leaving_server
from tests.support.databases import SeededBytes


async def test_intake_that_is_sent_away_while_it_begins_is_told_of_an_outage():
    async with leaving_server() as url:
        appender = PostgresAppender(database_url(url, Path("unused")))
        row = (SeededBytes().uuid(), 1.0, "api", 1, None, 1, 1, "a@example.com", None)
        with pytest.raises(StoreUnavailable):
            await appender.append([row])
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
