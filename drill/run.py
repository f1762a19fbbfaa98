"""One whole drill: set up, rounds, settling, audit. Prints nothing but progress."""

import asyncio
import random
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from drill.audit import Violation, audit
from drill.callers import Callers
from drill.faults.scene import Scene
from drill.fleet import Fleet, add_worker_roles, make_fleet
from drill.journal import add_people, add_trigger
from drill.ledgers import Person, address
from drill.logs import Told, read_logs
from drill.machine import describe
from drill.mail_server import MailServer
from drill.place import CannotDrill, Place, make_place
from drill.programs import NEVER, Keeper
from drill.report import Report
from drill.rounds import (
    Course,
    Plan,
    Say,
    gather,
    make_callers,
    people,
    run_rounds,
    wait_settled,
)
from drill.summary import summarise

READY_SECONDS = 60.0


@dataclass(frozen=True)
class Setting:
    """Everything that runs while faults come."""

    place: Place
    mail: MailServer
    fleet: Fleet
    callers: Callers


def drill(plan: Plan, command: str, say: Say, *, is_watched: bool = False) -> Report:
    """Run a drill and return its report. Raises CannotDrill when it cannot begin.

    When watched, what operators would see is written down in the middle of each outage.
    """
    with ExitStack() as stack:
        say("starting")
        setting = _set_up(plan, stack, say)
        course, sights = Course(), list[dict[str, object]]()
        chance = random.Random(plan.seed)
        look = (lambda: sights.append(see(setting))) if is_watched else (lambda: None)
        scene = Scene(setting.place, setting.mail, setting.fleet, chance, plan.outage, look)
        with setting.callers:
            course = run_rounds(plan, scene, setting.callers, say)
        course.sights = sights
        course.settled_seconds = wait_settled(setting.place, say)
        say("auditing")
        evidence = gather(setting.place, setting.mail, setting.callers, course)
        machine = describe(setting.place)
        told = read_logs(setting.place.directory)
    violations = [*audit(evidence), *_of_course(course, setting.fleet, told)]
    summary = summarise(evidence, course.rounds, violations, told.stale)
    return Report(command, machine, plan, course, summary, violations)


def _set_up(plan: Plan, stack: ExitStack, say: Say) -> Setting:
    mail = stack.enter_context(MailServer())
    place = stack.enter_context(make_place(plan.database, mail.port, is_kept=plan.is_kept))
    if plan.is_kept:
        say(f"logs and data stay in {place.directory}")
    add_worker_roles(place, plan.workers)
    asyncio.run(_prepare(plan, place))
    fleet = make_fleet(place, plan.serves, plan.workers)
    stack.enter_context(Keeper(fleet.all))
    wait_ready(fleet)
    return Setting(place, mail, fleet, make_callers(plan, place, fleet, plan.seed))


async def _prepare(plan: Plan, place: Place) -> None:
    emails = [
        address(person, number)
        for person, count in people(plan).items()
        if person is not Person.NOBODY
        for number in range(count)
    ]
    database = place.open()
    try:
        await add_people(database, place.demo["entry"], emails)
        await add_trigger(database)
    finally:
        await database.close()


def wait_ready(fleet: Fleet) -> None:
    """Return once every program is ready; raise CannotDrill if one does not get so far."""
    until = time.monotonic() + READY_SECONDS
    while any(one.ready_at == NEVER for one in fleet.all):
        if time.monotonic() > until:
            raise CannotDrill("the programs did not get ready")
        time.sleep(0.05)


def _of_course(course: Course, fleet: Fleet, told: Told) -> Iterator[Violation]:
    """Find what broke outside the ledgers: no way back, programs that ended by themselves."""
    for one in course.rounds:
        names = " + ".join(one.faults)
        if one.back_seconds is None:
            yield Violation("not back", f"round {one.number}, after {names}", one.ended_at)
        if one.mail_seconds is None:
            yield Violation("no mail", f"round {one.number}, after {names}", one.ended_at)
        for text in one.complaints:
            yield Violation("complaint", f"round {one.number}: {text}", one.ended_at)
    if course.settled_seconds is None:
        yield Violation("not settled", "requests or letters were left when the patience ended")
    for program in fleet.all:
        if program.unbidden:
            yield Violation("unbidden end", f"{program.name} ended by itself {program.unbidden} x")
    for at, words in told.faults:
        yield Violation("fault in a log", words, at)


def see(setting: Setting) -> dict[str, Any]:
    """Return what operators see now: readiness, metrics, and what the doctor does not like."""
    base = setting.fleet.targets()[0].url
    doctor, _status = setting.place.ask("doctor")
    return {
        "at": time.time(),
        "readyz": _get(base + "/readyz"),
        "metrics": _metrics(_get(base + "/metrics")),
        "doctor": [
            f"{one['check']}: {one['seen']}"
            for one in doctor.get("checks", [])
            if one["verdict"] != "ok"
        ],
    }


def _get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as answer:
        return f"{answer.code} {answer.read().decode()}"
    except OSError as fault:
        return f"no answer: {fault}"


def _metrics(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("authreset_") and "_created" not in line:
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found
