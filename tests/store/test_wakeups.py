"""Wake-ups: a commit is heard at once; what was rolled back is not heard of."""

import asyncio
import os
import stat
from pathlib import Path

import pytest
from sqlalchemy import text

from authreset.store.database import Database
from authreset.store.wakeups import PipeWakeups
from tests.support.databases import open_database
from tests.support.postgres import PostgresServer

SOON = 10.0
"""Seconds until a hint that was not heard is a failure; it is heard within milliseconds."""


async def heard(wake: asyncio.Event) -> None:
    async with asyncio.timeout(SOON):
        await wake.wait()
    wake.clear()


async def test_an_announced_commit_wakes_the_listener(
    database: Database, another: Database
) -> None:
    wake = asyncio.Event()
    async with another.wakeups.listening(wake):
        await heard(wake)  # it listens
        for _ in range(3):
            async with database.begin(wakes_worker=True) as tx:
                await tx.execute(text("SELECT 1"))
                assert not wake.is_set()
            await heard(wake)


async def test_other_commits_and_rolled_back_ones_wake_nobody(
    database: Database, another: Database
) -> None:
    wake = asyncio.Event()
    async with another.wakeups.listening(wake):
        await heard(wake)  # it listens
        async with database.begin():
            pass
        with pytest.raises(ZeroDivisionError):
            async with database.begin(wakes_worker=True):
                raise ZeroDivisionError
        if database.is_postgres:
            async with database.begin() as tx:
                await database.wakeups.announce(tx)
                await tx.rollback()
        # Hints keep their order: had one of those been given, it would be here before this one.
        async with database.begin(wakes_worker=True):
            assert not wake.is_set()
        await heard(wake)


async def test_without_a_listener_a_commit_is_as_good(database: Database) -> None:
    for _ in range(2):
        async with database.begin(wakes_worker=True) as tx:
            await tx.execute(text("SELECT 1"))


async def test_a_listener_that_comes_back_hears_again(
    database: Database, another: Database
) -> None:
    for _ in range(2):
        wake = asyncio.Event()
        async with another.wakeups.listening(wake):
            await heard(wake)
            async with database.begin(wakes_worker=True):
                pass
            await heard(wake)
        async with database.begin(wakes_worker=True):
            pass  # nobody listens now


async def test_a_lost_listening_connection_is_made_anew(
    postgres_url: str, postgres: PostgresServer
) -> None:
    database = open_database(postgres_url)
    wake = asyncio.Event()
    async with database.wakeups.listening(wake):
        await heard(wake)  # it listens
        await asyncio.to_thread(postgres.terminate_backends, postgres_url.rpartition("/")[2])
        await heard(wake)  # it listens again, and says: look for what was missed
        async with database.begin(wakes_worker=True):
            pass
        await heard(wake)
    await database.close()


async def test_a_full_pipe_and_a_closed_one_are_no_fault(tmp_path: Path) -> None:
    wakeups, wake = PipeWakeups(str(tmp_path / "wake")), asyncio.Event()
    wakeups.nudge()  # no pipe yet
    async with wakeups.listening(wake):
        await heard(wake)
        for _ in range(100_000):
            wakeups.nudge()
        await heard(wake)
    wakeups.nudge()  # no reader any more
    async with wakeups.listening(wake):
        await heard(wake)
        wakeups.nudge()
        await heard(wake)
    wakeups.close()
    assert stat.S_IMODE(os.stat(tmp_path / "wake").st_mode) == 0o600


async def test_a_pipe_that_may_not_be_written_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "wake").mkdir()
    PipeWakeups(str(tmp_path / "wake")).nudge()


async def test_where_no_pipe_can_be_made_the_listener_goes_on_without(tmp_path: Path) -> None:
    """Some file systems have none. A hint is missing then, and the worker looks by itself."""
    (tmp_path / "wake").write_text("no pipe")
    for path in (tmp_path / "wake", tmp_path / "absent" / "wake"):
        wake = asyncio.Event()
        async with PipeWakeups(str(path)).listening(wake):
            await heard(wake)
