"""Sweeping: what is past its time goes, what is needed stays, in batches that all end."""

from datetime import timedelta

import pytest
from sqlalchemy import insert

from authreset.flows.process_requests import process_requests
from authreset.flows.sweep import BATCH, sweep
from authreset.store.database import Database
from authreset.store.tables import letters, mailboxes, requests, resets, workers
from authreset.store.workers import WorkerSign, sign_worker
from tests.flows.processing import Bench
from tests.support.databases import FakeClock

RETENTION = timedelta(days=90)


@pytest.fixture
async def bench(database: Database, clock: FakeClock) -> Bench:
    return await Bench.set_up(database, clock)


async def clean(bench: Bench) -> dict[str, int]:
    return await sweep(bench.database, bench.clock(), RETENTION)


async def test_nothing_old_sweeps_nothing(bench):
    await bench.ask()
    await bench.settle()
    assert set((await clean(bench)).values()) == {0}


async def test_settled_requests_go_after_the_retention_and_not_before(bench):
    await bench.ask_often(3, "nobody@example.com")
    await bench.settle()
    bench.clock.advance(days=90)
    assert (await clean(bench))["requests"] == 0
    bench.clock.advance(seconds=1)
    assert (await clean(bench))["requests"] == 3
    assert await bench.rows(requests) == []


async def test_request_that_waits_stays_however_old_it_is(bench):
    await bench.ask()
    bench.clock.advance(days=1000)
    await clean(bench)
    assert len(await bench.rows(requests)) == 1
    assert [one.outcome for one in await bench.settle()] == ["mailed"]


async def test_letter_that_waits_stays_with_its_reset(bench):
    await bench.ask()
    await bench.settle()
    bench.clock.advance(days=1000)
    await clean(bench)
    assert [len(await bench.rows(table)) for table in (letters, resets)] == [1, 1]


async def test_mailboxes_are_forgotten_after_a_day(bench):
    await bench.ask("nobody@example.com")
    await bench.settle()
    bench.clock.advance(hours=24)
    assert (await clean(bench))["mailboxes"] == 0
    bench.clock.advance(seconds=1)
    assert (await clean(bench))["mailboxes"] == 1
    assert await bench.rows(mailboxes) == []


async def test_signs_of_workers_long_gone_go(bench):
    now = bench.clock()
    async with bench.database.begin() as tx:
        await sign_worker(tx, WorkerSign("gone", now, now, "reachable"))
    bench.clock.advance(hours=25)
    assert (await clean(bench))["workers"] == 1
    assert await bench.rows(workers) == []


async def test_more_than_a_batch_is_swept_to_its_end(bench):
    count = BATCH + 1
    now = bench.clock()
    rows = [
        {"digest": n.to_bytes(32), "hits": [], "updated_at": now - timedelta(days=2)}
        for n in range(count)
    ]
    async with bench.database.begin() as tx:
        await tx.execute(insert(mailboxes), rows)
    assert (await clean(bench))["mailboxes"] == count


async def test_sweeping_leaves_a_repeat_its_live_link(bench):
    """The link of a user who keeps asking outlives the sweep of what is around it."""
    await bench.ask()
    await bench.settle()
    bench.clock.advance(hours=1)
    await clean(bench)
    bench.clock.advance(minutes=2)
    await bench.ask()
    (settlement,) = await process_requests(bench.database, bench.rules, 10)
    assert settlement.outcome == "repeated"
