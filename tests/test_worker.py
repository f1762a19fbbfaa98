"""The loop around the flows: it wakes, survives, waits out outages, and ends in good order."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.engine import make_url
from structlog.testing import capture_logs

from authreset.clock import RequestIds, utc_now
from authreset.flows.accept_request import Intake, NewRequest
from authreset.mail.carriers import Accepted, Carrier, Delivery
from authreset.mail.smtp import SmtpCarrier, parse_smtp_url
from authreset.rules.circuits import Circuit
from authreset.rules.retry import RetryPolicy
from authreset.store.database import Database
from authreset.store.entities import change_settings
from authreset.store.tables import letters, requests, users, workers
from authreset.wiring import open_appender
from authreset.worker import POLL_SECONDS, SETTLED, Worker
from tests.flows.posting import make_mailer
from tests.flows.processing import ACTIVE, Bench, rows_of
from tests.support.databases import FakeClock, open_database
from tests.support.smtp import SmtpServer
from tests.support.wire import Wire

PATIENCE = 30.0
SOON = RetryPolicy(first_delay=timedelta(seconds=0.2), longest_delay=timedelta(seconds=0.2))


@dataclass
class Plant:
    """A bench on real time, a mail server, and workers to start and stop."""

    bench: Bench
    server: SmtpServer
    carrier: Carrier

    def worker(self, database: Database | None = None, **options: Any) -> Worker:
        """Build a worker. `options` are the mailer's."""
        database = database or self.bench.database
        carrier = options.pop("carrier", self.carrier)
        given = {"retry": SOON} | options
        return Worker(
            name=f"worker-{random.random()}",
            database=database,
            rules=self.bench.rules,
            mailer=make_mailer(self.bench, carrier, database=database, **given),
            circuit=Circuit(time.monotonic, lambda: 0.9),
            retention=timedelta(days=90),
            senders=4,
        )

    async def mails(self, count: int) -> None:
        """Wait until so many mails have come."""
        await asyncio.to_thread(self.server.wait_for, count, PATIENCE)

    async def until_letters(self, **states: int) -> None:
        """Wait until that many letters are in these states, and none in another."""

        async def are_so() -> bool:
            found = [row["state"] for row in await self.bench.rows(letters)]
            return sorted(found) == sorted(
                state for state, count in states.items() for _ in range(count)
            )

        await wait_until(are_so)

    async def ask_many(self, count: int) -> None:
        """Add so many users, and let each ask once."""
        for n in range(count):
            await self.bench.add_active_user(f"user{n}@example.com")
            await self.bench.ask(f"user{n}@example.com")


async def wait_until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await is_so():  # noqa: ASYNC110 -- a database gives no sign when rows change
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(*workers_: Worker) -> AsyncIterator[None]:
    """Run workers, and stop them in good order."""
    tasks = [asyncio.create_task(one.run()) for one in workers_]
    try:
        yield
    finally:
        for one in workers_:
            one.stop()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*tasks)


@asynccontextmanager
async def plant_on(database: Database) -> AsyncIterator[Plant]:
    bench = await Bench.set_up(database, FakeClock(utc_now()))
    bench.rules = replace(bench.rules, clock=utc_now, new_id=RequestIds())
    with SmtpServer() as server:
        carrier = SmtpCarrier(parse_smtp_url(server.url(timeout=5, starttls="off")))
        try:
            yield Plant(bench, server, carrier)
        finally:
            await carrier.close()


@pytest.fixture
async def plant(database: Database) -> AsyncIterator[Plant]:
    async with plant_on(database) as plant:
        yield plant


def settled_so_far() -> Counter[str]:
    """Return the metric, by outcome."""
    (family,) = SETTLED.collect()
    totals = [one for one in family.samples if one.name.endswith("_total")]
    return Counter({one.labels["outcome"]: int(one.value) for one in totals})


class Slow:
    """A carrier whose mails are accepted when the test says so."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.may_end = asyncio.Event()
        self.sent: list[str] = []

    async def send(self, _message: object, recipient: str) -> Delivery:
        self.begun.release()
        await self.may_end.wait()
        self.sent.append(recipient)
        return Accepted(250, "ok", None)

    async def close(self) -> None:
        self.may_end.set()


class TestWorking:
    async def test_request_becomes_a_mail(self, plant):
        await plant.bench.ask()
        async with running(plant.worker()):
            await plant.mails(1)
            await plant.until_letters(accepted=1)

    async def test_append_wakes_it_long_before_it_would_look_by_itself(self, plant):
        database = plant.bench.database
        appender = open_appender(database)
        intake = Intake(appender.append)
        root = plant.bench.tree.root
        times = []
        async with running(plant.worker()):
            for n in range(1, 6):
                email = f"quick{n}@example.com"
                await plant.bench.add_active_user(email)
                started = time.monotonic()
                request = NewRequest(
                    RequestIds()(), utc_now(), "api", None, None, root.id, root.id, email, None
                )
                await intake.record(request)
                await plant.mails(n)
                times.append(time.monotonic() - started)
        await intake.close()
        await appender.close()
        assert min(times) < POLL_SECONDS / 4

    async def test_hundreds_are_all_mailed_once(self, plant):
        await plant.ask_many(120)
        async with running(plant.worker()):
            await plant.mails(120)
            await plant.until_letters(accepted=120)
        assert len({mail.recipients[0] for mail in plant.server.mails}) == 120

    async def test_a_batch_is_told_in_one_line_and_counted_by_outcome(self, plant):
        await plant.bench.ask()
        await plant.bench.ask_often(3, "nobody@example.com")
        before = settled_so_far()
        with capture_logs() as lines:
            async with running(plant.worker()):
                await plant.mails(1)
        outcomes = {"mailed": 1, "no_user": 1, "limited": 2}
        told = [one for one in lines if one["event"] == "requests_settled"]
        level = {"event": "requests_settled", "log_level": "info"}
        assert told == [level | {"count": 4} | outcomes]
        assert settled_so_far() - before == outcomes

    async def test_two_workers_share_the_work_and_send_nothing_twice(self, postgres_url):
        databases = [open_database(postgres_url) for _ in range(2)]
        async with plant_on(databases[0]) as plant:
            await plant.ask_many(80)
            async with running(*(plant.worker(one) for one in databases)):
                await plant.mails(80)
                await plant.until_letters(accepted=80)
            assert len(plant.server.mails) == 80
        for one in databases:
            await one.close()

    async def test_it_signs_and_takes_its_sign_away(self, plant):
        async def has_signed() -> bool:
            return len(await plant.bench.rows(workers)) == 1

        async with running(plant.worker()):
            await wait_until(has_signed)
            (sign,) = await plant.bench.rows(workers)
            assert sign["mail_state"] == "reachable"
        assert await plant.bench.rows(workers) == []


class TestFaults:
    async def test_poison_request_does_not_stop_the_others(self, plant):
        poisoned = await plant.bench.add_active_user("poison@example.com")
        async with plant.bench.database.begin() as tx:
            await tx.execute(update(users).where(users.c.id == poisoned).values(status=42))
        await plant.bench.ask("poison@example.com")
        await plant.bench.ask()
        async with running(plant.worker()):
            await plant.mails(1)

    async def test_letter_that_cannot_be_written_is_told_and_does_not_stop_the_others(self, plant):
        bench = plant.bench
        async with bench.database.begin() as tx:
            await change_settings(tx, bench.tree.shop.id, {"accent": "no colour"})
        await bench.ask(ACTIVE, bench.tree.shop)
        await plant.ask_many(3)
        slowly = RetryPolicy(first_delay=timedelta(minutes=1), longest_delay=timedelta(minutes=1))
        with capture_logs() as lines:
            async with running(plant.worker(retry=slowly)):
                await plant.mails(3)
                await plant.until_letters(accepted=3, deferred=1)
        assert len([one for one in lines if one["event"] == "letter_unwritable"]) == 1

    async def test_mail_server_that_is_away_is_probed_and_then_everything_goes(self, plant):
        plant.server.stop()
        await plant.ask_many(30)
        async with running(plant.worker()):
            await wait_until(lambda: self.has_tried(plant))
            attempts = sum(row["attempts"] for row in await plant.bench.rows(letters))
            assert attempts <= 10, "one probe at a time, not each letter on its own"
            plant.server.start()
            await plant.mails(30)
            await plant.until_letters(accepted=30)

    async def has_tried(self, plant: Plant) -> bool:
        rows = await plant.bench.rows(letters)
        return len(rows) == 30 and sum(row["attempts"] for row in rows) >= 5

    async def test_it_goes_on_after_an_outage_of_the_database(self, postgres_url):
        async with Wire(make_url(postgres_url).port) as wire:
            database = open_database(str(make_url(postgres_url).set(port=wire.port)))
            async with plant_on(database) as plant:
                await plant.bench.ask()
                with capture_logs() as lines:
                    async with running(plant.worker()):
                        await plant.mails(1)
                        wire.cut()
                        await wire.wait_for_turned_away(3)
                        wire.mend()
                        await plant.ask_many(5)
                        await plant.mails(6)
                        await plant.until_letters(accepted=6)
            assert "database_unavailable" in {one["event"] for one in lines}
            assert "chore_failed" not in {one["event"] for one in lines}
            await database.close()


class TestEnding:
    async def test_letters_under_way_are_sent_to_their_end_and_the_rest_given_back(self, plant):
        await plant.ask_many(20)
        slow = Slow()
        worker = plant.worker(carrier=slow)
        task = asyncio.create_task(worker.run())
        for _ in range(4):
            await asyncio.wait_for(slow.begun.acquire(), PATIENCE)
        worker.stop()
        await plant.until_letters(sending=4, queued=16)
        assert not task.done()
        slow.may_end.set()
        await asyncio.wait_for(task, PATIENCE)
        await plant.until_letters(accepted=4, queued=16)
        assert len(slow.sent) == 4
        async with running(plant.worker()):
            await plant.mails(16)

    async def test_idle_worker_ends_at_once(self, plant):
        async with running(plant.worker()):
            pass

    async def test_crash_leaves_its_letters_to_the_next_when_their_lease_is_over(self, plant):
        await plant.ask_many(5)
        slow = Slow()
        lease = {"lease": timedelta(seconds=2), "sending_takes": timedelta(seconds=1)}
        crashed = asyncio.create_task(plant.worker(carrier=slow, **lease).run())
        for _ in range(4):
            await asyncio.wait_for(slow.begun.acquire(), PATIENCE)
        crashed.cancel()
        await asyncio.gather(crashed, return_exceptions=True)
        assert slow.sent == []
        async with running(plant.worker()):
            await plant.mails(5)
            await plant.until_letters(accepted=5)

    async def test_nothing_is_left_unsettled(self, plant):
        await plant.bench.ask_often(20, "nobody@example.com")
        async with running(plant.worker()):
            await wait_until(lambda: self.is_settled(plant.bench.database))

    async def is_settled(self, database: Database) -> bool:
        return all(row["outcome"] for row in await rows_of(database, requests))
