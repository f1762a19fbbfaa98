"""The course of a drill: load, rounds of faults, a time to settle, then the evidence.

The seed says which faults meet which programs and who is asked for; not when the machine does it.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from drill.callers import SHARES, Asking, Callers
from drill.faults import ALL
from drill.faults.clocks import STEP_SECONDS
from drill.faults.scene import Fault, Scene
from drill.fleet import Fleet
from drill.journal import (
    count_unfinished,
    read_changes,
    read_letters,
    read_requests,
    read_resets,
    read_users,
)
from drill.ledgers import Evidence, MailboxRule, Person
from drill.mail_server import MailServer
from drill.place import PER_HOUR, SPACING, Place

BACK_SECONDS = 15.0
"""Within so many seconds of a fault's end every program that serves must acknowledge again."""

MAIL_SECONDS = 35.0
"""The same for mails: workers look for a mail server that was away every half minute."""

WARM_SECONDS = 2.0
SETTLE_SECONDS = 180.0
ROUND_SECONDS = 8.0  # about; only to have people enough
TWO_AT_ONCE = 1 / 3

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Round:
    """One round.

    `back_seconds`: from the fault's end to the last program's first success; `mail_seconds`: from
    there to the first mail. None: that did not come to pass.
    """

    number: int
    faults: tuple[str, ...]
    began_at: float
    ended_at: float
    back_seconds: float | None
    mail_seconds: float | None
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done."""

    rounds: int
    seed: int
    database: str
    serves: int
    workers: int
    rate: float
    only: tuple[str, ...] = ()
    outage: tuple[float, float] = (1.5, 3.5)
    is_kept: bool = False


@dataclass
class Course:
    """What was done. `not_run`: faults that were to be run here and cannot be, with the reason."""

    rounds: list[Round] = field(default_factory=list)
    not_run: dict[str, str] = field(default_factory=dict)
    sights: list[dict[str, object]] = field(default_factory=list)
    settled_seconds: float | None = None


def people(plan: Plan) -> dict[Person, int]:
    """Return how many people of each kind there are: enough that few are asked for by accident."""
    calls = plan.rate * (plan.rounds + 2) * ROUND_SECONDS
    return {person: max(int(calls * share / 100 * 1.2), 10) for person, share in SHARES.items()}


def choose_faults(plan: Plan, place: Place) -> tuple[list[Fault], dict[str, str]]:
    """Return the faults that can be run, and why the others that were asked for cannot."""
    wanted = [ALL[name] for name in plan.only] or [
        one for one in ALL.values() if plan.database in one.databases
    ]
    reasons = {
        one.name: f"is no fault of {plan.database}"
        if plan.database not in one.databases
        else one.why_not(place)
        for one in wanted
    }
    return [one for one in wanted if not reasons[one.name]], {k: v for k, v in reasons.items() if v}


def deal(faults: Sequence[Fault], rounds: int, chance: random.Random) -> Iterator[list[Fault]]:
    """Deal each round its faults: every fault once before any comes again, two of them at times."""
    deck: list[Fault] = []
    for _ in range(rounds):
        if not deck:
            deck = chance.sample(list(faults), len(faults))
        hand = [deck.pop()]
        fitting = [one for one in faults if not one.parts & hand[0].parts]
        if fitting and chance.random() < TWO_AT_ONCE:
            hand.append(chance.choice(fitting))
        yield hand


def run_rounds(plan: Plan, scene: Scene, callers: Callers, say: Say) -> Course:
    """Run every round and return what was done."""
    faults, not_run = choose_faults(plan, scene.place)
    course = Course(not_run=not_run)
    wait_back(scene.fleet, callers)
    time.sleep(WARM_SECONDS)
    for number, hand in enumerate(deal(faults, plan.rounds, scene.chance), 1):
        names = tuple(one.name for one in hand)
        say(f"round {number} of {plan.rounds}: {' + '.join(names)}")
        course.rounds.append(run_round(number, names, hand, scene, callers))
    return course


def run_round(
    number: int, names: tuple[str, ...], hand: list[Fault], scene: Scene, callers: Callers
) -> Round:
    """Run faults side by side, then wait until every program that serves is back."""
    began_at = time.time()
    scenes = [
        replace(scene, chance=random.Random(scene.chance.random()), complaints=[]) for _ in hand
    ]
    with ThreadPoolExecutor(len(hand)) as threads:
        acts = [threads.submit(one.act, its) for one, its in zip(hand, scenes, strict=True)]
    for act in acts:
        act.result()
    mended_at = time.time()
    back = wait_back(scene.fleet, callers)
    mail = wait_mail(scene.mail, mended_at)
    time.sleep(scene.chance.uniform(0.3, 1.0))
    complaints = tuple(text for its in scenes for text in its.complaints)
    return Round(number, names, began_at, time.time(), back, mail, complaints)


def wait_back(fleet: Fleet, callers: Callers) -> float | None:
    """Return after how many seconds every program acknowledged again; None if one did not."""
    since = time.time()
    missing = {one.name for one in fleet.serves}
    while time.time() - since < BACK_SECONDS:
        missing = {name for name in missing if not callers.has_success(name, since)}
        if not missing:
            return time.time() - since
        time.sleep(0.05)
    return None


def wait_mail(mail: MailServer, since: float) -> float | None:
    """Return how long after an instant a mail was taken; None if none was."""
    taken = mail.wait_taken(since, MAIL_SECONDS)
    return None if taken is None else taken - since


def wait_settled(place: Place, say: Say) -> float | None:
    """Wait until no request and no letter is on its way; None if that does not come to pass."""
    begun = time.monotonic()
    while time.monotonic() - begun < SETTLE_SECONDS:
        requests, letters = asyncio.run(_unfinished(place))
        if not requests and not letters:
            return time.monotonic() - begun
        say(f"settling: {requests} requests and {letters} letters are on their way")
        time.sleep(0.5)
    return None


async def _unfinished(place: Place) -> tuple[int, int]:
    database = place.open()
    try:
        return await count_unfinished(database)
    finally:
        await database.close()


def gather(place: Place, mail: MailServer, callers: Callers, course: Course) -> Evidence:
    """Collect what the callers, the mail server and the database say."""
    return asyncio.run(_gather(place, mail, callers, course))


async def _gather(place: Place, mail: MailServer, callers: Callers, course: Course) -> Evidence:
    stepped = any("clock-back" in one.faults for one in course.rounds)
    database = place.open()
    try:
        async with database.read() as tx:
            return Evidence(
                calls=callers.calls(),
                taken=mail.taken(),
                requests=await read_requests(tx),
                letters=await read_letters(tx),
                resets=await read_resets(tx),
                changes=await read_changes(tx),
                users=await read_users(tx),
                rule=MailboxRule(PER_HOUR, SPACING),
                skew=STEP_SECONDS if stepped else 0.0,
            )
    finally:
        await database.close()


def make_callers(plan: Plan, place: Place, fleet: Fleet, seed: int) -> Callers:
    """Put the load together; it begins when it is entered."""
    return Callers(
        targets=fleet.targets(),
        token=place.demo["organization_token"],
        entry=place.demo["entry"],
        rate=plan.rate,
        asking=Asking(random.Random(seed), people(plan)),
        chance=random.Random(seed + 1),
    )
