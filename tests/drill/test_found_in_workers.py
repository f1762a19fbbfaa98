"""What the drill found in the worker: each fault as a test of its own, which failed at first."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import event

from authreset.mail.carriers import Accepted, Delivery
from authreset.rules.circuits import Circuit
from authreset.store.database import Database
from authreset.worker import Worker
from tests.flows.posting import make_mailer
from tests.flows.processing import Bench
from tests.support.databases import FakeClock

LEASE, SENDING = timedelta(seconds=5), timedelta(seconds=4)
LETTERS = 60
PATIENCE = 30.0


class Dragging:
    """A carrier whose first mails take so long that those behind them wait too long."""

    def __init__(self, clock: FakeClock, slow: int) -> None:
        self._clock = clock
        self._slow = slow
        self.sent: list[str] = []

    async def send(self, _message: object, recipient: str) -> Delivery:
        self.sent.append(recipient)
        if len(self.sent) <= self._slow:
            self._clock.advance(seconds=2)
        return Accepted(250, "ok", None)

    async def close(self) -> None:
        pass


def count_commits(database: Database) -> list[None]:
    """Return a list that grows by one with each commit."""
    commits: list[None] = []
    event.listen(database.engine.sync_engine, "commit", lambda _: commits.append(None))
    return commits


async def test_letters_that_waited_too_long_behind_others_are_given_back_together(
    database: Database, clock: FakeClock
):
    bench = await Bench.set_up(database, clock)
    bench.rules = replace(bench.rules, mailbox=None)
    for n in range(LETTERS):
        await bench.add_active_user(f"user{n}@example.com")
        await bench.ask(f"user{n}@example.com")
    await bench.settle()
    carrier = Dragging(clock, slow=1)
    mailer = make_mailer(bench, carrier, lease=LEASE, sending_takes=SENDING)
    worker = Worker(
        name="worker",
        database=database,
        rules=bench.rules,
        mailer=mailer,
        circuit=Circuit(clock.monotonic, lambda: 0.0),
        retention=timedelta(days=90),
        senders=4,
    )
    commits = count_commits(database)
    task = asyncio.create_task(worker.run())
    async with asyncio.timeout(PATIENCE):
        while len(carrier.sent) < LETTERS:  # noqa: ASYNC110 -- the carrier gives no sign
            await asyncio.sleep(0.01)
    worker.stop()
    await asyncio.wait_for(task, PATIENCE)
    assert len(set(carrier.sent)) == LETTERS
    assert len(commits) < LETTERS
