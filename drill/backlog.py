"""Many requests that wait, and workers that share them: nothing twice, and how fast.

The backlog is recorded once through the product's own programs; each run of workers gets a copy.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from bench.tables import Table
from rich.console import Console

from authreset.store.database import Database
from drill.filling import fill
from drill.fleet import add_worker_roles, make_fleet
from drill.journal import add_people, count_unfinished, read_letters, read_requests
from drill.ledgers import LetterRow, Person, RequestRow, Taken, address
from drill.machine import describe
from drill.mail_server import MailServer
from drill.place import DATABASE, CannotDrill, Place, make_place
from drill.programs import Keeper
from drill.run import wait_ready

FULL = "drill_full"
SMTP_SECONDS = 60.0  # the product's own default
PATIENCE = 1800.0
TITLES = ("workers", "letters", "twice", "missing", "seconds", "letters a second")


class Bar(Protocol):
    """Shows how far a step is."""

    def __call__(self, title: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Begin a step; what is entered takes how many more are done."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What so many workers did with the backlog, or the first part of it.

    `seconds`: from the first mail to the last. `missing`: of those that were waited for.
    """

    workers: int
    letters: int
    twice: int
    missing: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Return the speed."""
        return self.letters / self.seconds if self.seconds else 0.0


@dataclass
class BacklogReport:
    """Runs with different numbers of workers, on the same backlog."""

    command: str
    machine: dict[str, str]
    requests: int
    serves: int
    fill_seconds: float = 0.0
    runs: list[Shared] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Tell whether each request led to one letter, and each letter to one mail."""
        return all(not one.twice and not one.missing for one in self.runs)

    def table(self) -> Table:
        """Return a line for each run."""
        lines = [
            [
                *(f"{n:,}" for n in (one.workers, one.letters, one.twice, one.missing)),
                f"{one.seconds:.1f}",
                f"{one.per_second:,.0f}",
            ]
            for one in self.runs
        ]
        return Table(f"A backlog of {self.requests:,} requests", TITLES, lines, text_columns=0)

    def markdown(self) -> str:
        """Return the block for a Markdown file."""
        facts = "; ".join(f"{name} {value}" for name, value in self.machine.items())
        return "\n\n".join([f"Command: `{self.command}`", f"Run on: {facts}.", self.words(),
                            self.table().markdown()])  # fmt: skip

    def words(self) -> str:
        """Return the outcome in a sentence or two."""
        rate = self.requests / self.fill_seconds
        text = f"Recorded through {self.serves} `serve` at {rate:,.0f} requests a second."
        if len(self.runs) > 1:
            first, last = self.runs[0], self.runs[-1]
            ratio = last.per_second / first.per_second
            text += f" {last.workers} workers are {ratio:.2f} times as fast as {first.workers}."
        return f"{text} {'No letter went twice.' if self.is_clean else 'LETTERS WENT WRONG.'}"

    def show(self, console: Console) -> None:
        """Print everything."""
        console.print(self.table().rich())
        console.print(self.words())

    def as_json(self) -> dict[str, Any]:
        """Return everything, for `json.dump`."""
        runs = [asdict(one) | {"per_second": one.per_second} for one in self.runs]
        return {**asdict(self), "ok": self.is_clean, "runs": runs}


def share_backlog(
    requests: int, serves: int, workers: Sequence[int], solo: int, command: str, bar: Bar
) -> BacklogReport:
    """Record a backlog, then let each of these numbers of workers work a copy of it off.

    A single one is stopped after `solo` letters: enough to know its speed.
    """
    with ExitStack() as stack:
        mail = stack.enter_context(MailServer())
        place = stack.enter_context(make_place("postgres", mail.port))
        place.smtp_seconds = SMTP_SECONDS
        add_worker_roles(place, max(workers))
        report = BacklogReport(command, describe(place), requests, serves)
        report.fill_seconds = _record(place, requests, serves, bar)
        for count in workers:
            letters = min(solo, requests) if count == 1 else requests
            report.runs.append(_work_off(place, mail, serves, count, letters, bar))
    return report


def _record(place: Place, requests: int, serves: int, bar: Bar) -> float:
    """Have the backlog recorded, and put it aside; return how long that took."""
    emails = [address(Person.MEMBER, number) for number in range(requests)]
    asyncio.run(_with_database(place, lambda it: add_people(it, place.demo["entry"], emails)))
    fleet = make_fleet(place, serves, 0)
    with Keeper(fleet.all), bar("recording requests", requests) as done:
        wait_ready(fleet)
        ports = [int(one.url.rpartition(":")[2]) for one in fleet.targets()]
        begun = time.monotonic()
        token, entry = place.demo["organization_token"], place.demo["entry"]
        asyncio.run(fill(ports, token, entry, emails, done))
        taken = time.monotonic() - begun
    assert place.postgres is not None
    place.postgres.execute(f'ALTER DATABASE "{DATABASE}" RENAME TO "{FULL}"')
    return taken


def _work_off(
    place: Place, mail: MailServer, serves: int, workers: int, letters: int, bar: Bar
) -> Shared:
    assert place.postgres is not None
    place.postgres.drop_database(DATABASE)
    place.postgres.create_database(DATABASE, template=FULL)
    place.postgres.execute("CHECKPOINT")
    before = mail.count()
    fleet = make_fleet(place, serves, workers)
    with Keeper(fleet.all), bar(f"{workers} working it off", letters) as done:
        _wait_mails(mail, before, letters, done)
        if workers > 1:
            asyncio.run(_wait_recorded(place))
    rows = asyncio.run(_with_database(place, _read))
    return _judge(workers, letters, mail.taken()[before:], *rows)


def _wait_mails(mail: MailServer, before: int, count: int, done: Callable[[int], None]) -> None:
    until, seen = time.monotonic() + PATIENCE, 0
    while seen < count:
        if time.monotonic() > until:
            raise CannotDrill(f"{seen} of {count} letters were sent in {PATIENCE:.0f} s")
        time.sleep(0.2)
        now = mail.count() - before
        done(now - seen)
        seen = now


async def _wait_recorded(place: Place) -> None:
    """Wait until the database knows of every letter too; a second mail would have come by then."""

    async def look(database: Database) -> None:
        while await count_unfinished(database) != (0, 0):  # noqa: ASYNC110 -- rows give no sign
            await asyncio.sleep(0.2)

    await _with_database(place, look)


async def _read(database: Database) -> tuple[list[RequestRow], list[LetterRow]]:
    async with database.read() as tx:
        return await read_requests(tx), await read_letters(tx)


def _judge(
    workers: int, wanted: int, mails: list[Taken], rows: list[RequestRow], letters: list[LetterRow]
) -> Shared:
    went = {one.message_id for one in mails}
    owed = {one.letter_id for one in rows}
    accepted = {one.id for one in letters if one.state == "accepted"}
    return Shared(
        workers=workers,
        letters=len(mails),
        twice=len(mails) - len(went) + len(letters) - len({one.user_id for one in letters}),
        missing=max(wanted - len(owed & went & accepted), 0),
        seconds=mails[-1].at - mails[0].at if mails else 0.0,
    )


async def _with_database(place: Place, work: Callable[[Database], Any]) -> Any:
    database = place.open()
    try:
        return await work(database)
    finally:
        await database.close()
