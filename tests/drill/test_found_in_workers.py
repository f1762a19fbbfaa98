"""What the drill found in the worker: each fault as a test of its own, which failed at first."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event
from structlog.testing import capture_logs

from authreset.mail.carriers import Accepted, Carrier, Delivery
from authreset.rules.circuits import Circuit
from authreset.store.database import Database
from authreset.worker import Worker
from tests.flows.posting import make_mailer
from tests.flows.processing import Bench
from tests.support.databases import FakeClock, open_database
from tests.support.postgres import PostgresServer

LEASE, SENDING = timedelta(seconds=5), timedelta(seconds=4)
LETTERS = 60
PATIENCE = 30.0


class Dragging:
    """A carrier whose first mails take so long that those behind them wait too long."""

    def __init__(self, clock: FakeClock, slow: int, seconds: float = 2.0) -> None:
        self._clock = clock
        self._slow = slow
        self._seconds = seconds
        self.sent: list[str] = []

    async def send(self, _message: object, recipient: str) -> Delivery:
        self.sent.append(recipient)
        if len(self.sent) <= self._slow:
            self._clock.advance(seconds=self._seconds)
        return Accepted(250, "ok", None)

    async def close(self) -> None:
        pass


async def with_letters(count: int, database: Database, clock: FakeClock) -> Bench:
    """Let so many users ask, and queue their letters."""
    bench = await Bench.set_up(database, clock)
    bench.rules = replace(bench.rules, mailbox=None)
    for n in range(count):
        await bench.add_active_user(f"user{n}@example.com")
        await bench.ask(f"user{n}@example.com")
    await bench.settle()
    return bench


def make_worker(bench: Bench, carrier: Carrier, database: Database) -> Worker:
    return Worker(
        name=f"worker-{id(database)}",
        database=database,
        rules=bench.rules,
        mailer=make_mailer(bench, carrier, database=database, lease=LEASE, sending_takes=SENDING),
        circuit=Circuit(time.monotonic, lambda: 0.0),
        retention=timedelta(days=90),
        senders=4,
    )


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110 -- what is looked at gives no sign
            await asyncio.sleep(0.01)


def count_commits(database: Database) -> list[None]:
    """Return a list that grows by one with each commit."""
    commits: list[None] = []
    event.listen(database.engine.sync_engine, "commit", lambda _: commits.append(None))
    return commits


async def test_letters_that_waited_too_long_behind_others_are_given_back_together(
    database: Database, clock: FakeClock
):
    bench = await with_letters(LETTERS, database, clock)
    carrier = Dragging(clock, slow=1)
    worker = make_worker(bench, carrier, database)
    commits = count_commits(database)
    task = asyncio.create_task(worker.run())
    await until(lambda: len(carrier.sent) >= LETTERS)
    worker.stop()
    await asyncio.wait_for(task, PATIENCE)
    assert len(set(carrier.sent)) == LETTERS
    assert len(commits) < LETTERS


async def test_worker_takes_no_more_letters_than_a_slow_mail_server_lets_it_send_in_time(
    database: Database, clock: FakeClock
):
    bench = await with_letters(LETTERS, database, clock)
    carrier = Dragging(clock, slow=LETTERS, seconds=0.3)
    worker = make_worker(bench, carrier, database)
    task = asyncio.create_task(worker.run())
    await until(lambda: len(carrier.sent) >= LETTERS)
    worker.stop()
    await asyncio.wait_for(task, PATIENCE)
    leases = sum(row["lease"] for row in await bench.letters())
    assert leases < 4 * LETTERS


class Held:
    """A carrier that has taken a mail when it is begun, and says so when the test lets it."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.may_end = asyncio.Event()
        self.sent: list[str] = []

    async def send(self, _message: object, recipient: str) -> Delivery:
        self.sent.append(recipient)
        self.begun.release()
        await self.may_end.wait()
        return Accepted(250, "ok", None)

    async def close(self) -> None:
        pass


@pytest.fixture
def mortal(postgres: PostgresServer, postgres_url: str) -> Iterator[PostgresServer]:
    """Lend the server to a test that ends it; it runs again when the test is over."""
    yield postgres
    if not postgres.is_running():
        postgres.start()


async def test_outage_of_the_database_that_outlasts_a_lease_makes_no_letter_go_twice(
    mortal: PostgresServer, postgres_url: str, clock: FakeClock
):
    """Whoever holds a letter says how it went before anybody can take it over."""
    databases = [open_database(postgres_url) for _ in range(2)]
    bench = await with_letters(4, databases[0], clock)
    carrier = Held()
    workers = [make_worker(bench, carrier, one) for one in databases]
    running = [asyncio.create_task(workers[0].run())]
    for _ in range(4):
        await asyncio.wait_for(carrier.begun.acquire(), PATIENCE)
    running.append(asyncio.create_task(workers[1].run()))
    with capture_logs() as lines:
        await asyncio.to_thread(mortal.crash)
        carrier.may_end.set()
        await until(lambda: sum(one["event"] == "database_unavailable" for one in lines) > 4)
        clock.advance(seconds=2 * LEASE.total_seconds())
        await asyncio.to_thread(mortal.start)
        await until(lambda: sum(one["event"] == "letter_attempted" for one in lines) >= 4)
        for one in workers:
            one.stop()
        await asyncio.wait_for(asyncio.gather(*running), PATIENCE)
    assert sorted(carrier.sent) == [f"user{n}@example.com" for n in range(4)]
    assert all(one["recorded"] for one in lines if one["event"] == "letter_attempted")
    for one in databases:
        await one.close()


async def test_letter_that_was_given_back_keeps_its_place_in_the_line(
    database: Database, clock: FakeClock
):
    bench = await with_letters(1, database, clock)
    mailer = make_mailer(bench, Dragging(clock, slow=0), lease=LEASE, sending_takes=SENDING)
    older = await mailer.lease(1)
    clock.advance(seconds=1)
    await bench.add_active_user("later@example.com")
    await bench.ask("later@example.com")
    await bench.settle()
    clock.advance(seconds=1)
    await mailer.give_back(older)
    clock.advance(seconds=1)
    (next_one,) = await mailer.lease(1)
    assert next_one.letter.id == older[0].letter.id
