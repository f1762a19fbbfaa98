"""The series of a run on one database: what is asked of which service, in which classes.

How it is timed is the matter of `draws`, what the times mean that of `findings`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from html import escape

from silence import classes
from silence.classes import CONTROL, NEUTRAL, Kind, address
from silence.draws import CONTROL_SECONDS, WARM_UP, Effort, Subject, Train, ask_all
from silence.findings import Finding, analyse, is_found
from silence.questions import Question
from silence.service import Cabin, Service, mail_server, on_the_load_core
from silence.wire import Connection

Progress = Callable[[str, int, int], None]
"""Told the series, and how many requests of each class are done and wanted."""

MAIL_SERVERS = {"down": "is down", "hang": "hangs"}


@dataclass(frozen=True, slots=True)
class Series:
    """One series. It takes the requests that were asked for, divided by `divisor`.

    `abreast` is how many of them are under way at once.
    """

    name: str
    title: str
    kinds: tuple[Kind, ...]
    divisor: int
    abreast: int = 1
    probes: int = 0
    rest: float = 0.0
    judges_probes: bool = True


RESET = Series("reset", "POST /api/User/authreset", classes.RESET_KINDS, 1, probes=1)
LATER = Series(
    "later",
    "POST /api/User/authreset when idle",
    classes.OUTAGE_KINDS,
    25,
    probes=16,
    rest=0.03,
    judges_probes=False,
)
OUTAGE = Series("outage", "POST /api/User/authreset, by mail server", classes.OUTAGE_KINDS, 1)
FORGOT = Series("forgot", "POST /forgot", classes.RESET_KINDS, 5)
LOGIN = Series("login", "POST /api/User/auth/{provider}", classes.LOGIN_KINDS, 50, abreast=3)
"""A refusal comes after 0.1 s, in which the service is idle for three quarters."""

ALL = {one.name: one for one in (RESET, LATER, FORGOT, LOGIN, OUTAGE)}


@dataclass(frozen=True, slots=True)
class Plan:
    """Which series, which classes of each, how long, and in which order."""

    series: Sequence[Series]
    kinds: Sequence[Kind]
    efforts: dict[str, Effort]
    seed: int
    must_find: frozenset[str]

    def kinds_of(self, series: Series) -> list[Kind]:
        """Return the classes of a series that were chosen."""
        return [kind for kind in series.kinds if kind in self.kinds]

    def counts(self, wanted: Sequence[Series]) -> dict[str, int]:
        """Return how many addresses of each class these series need together."""
        need: dict[str, int] = {}
        for one in wanted:
            for kind in self.kinds_of(one):
                need[kind.name] = need.get(kind.name, 0) + self.addresses(one)
        return need

    def addresses(self, series: Series) -> int:
        """Return how many addresses a series uses of each of its classes."""
        return self.efforts[series.name].requests + WARM_UP


def run_series(cabin: Cabin, database: str, plan: Plan, progress: Progress) -> Iterator[Finding]:
    """Run every chosen series, those at one service first."""
    plain = [one for one in plan.series if one is not OUTAGE]
    with mail_server("accept") as port, cabin.service("silence", plan.counts(plain), port) as home:
        used = 0
        for series in plain:
            subjects = _run_plain(home, plan, series, used, progress)
            yield from _analyse(database, plan, series, subjects)
            used += plan.addresses(series)
    if OUTAGE in plan.series:
        subjects = _run_outage(cabin, plan, progress)
        yield from _analyse(database, plan, OUTAGE, subjects)


def _analyse(
    database: str, plan: Plan, series: Series, subjects: Sequence[Subject]
) -> Iterator[Finding]:
    yield from analyse(
        database,
        series.name,
        series.title,
        subjects,
        must_find=series.name in plan.must_find,
        judges_probes=series.judges_probes,
    )


def _run_plain(
    service: Service, plan: Plan, series: Series, used: int, progress: Progress
) -> Sequence[Subject]:
    asking = service.asking
    questions = {FORGOT: asking.forgot, LOGIN: asking.log_in}
    with ExitStack() as stack:
        connections = [stack.enter_context(Connection(service.port)) for _ in range(series.abreast)]
        subjects = [
            _subject(kind, series, connections, questions.get(series, asking.reset), used)
            for kind in (*plan.kinds_of(series), CONTROL)
        ]
        train = Train(lambda number: asking.reset(NEUTRAL, number), series.probes, series.rest)
        return _take(plan, series, subjects, train if series.probes else None, progress)


def _subject(
    kind: Kind,
    series: Series,
    connections: Sequence[Connection],
    question: Question,
    used: int,
) -> Subject:
    subject = Subject(
        kind.name,
        "control" if kind is CONTROL else "odd" if kind.odd else "plain",
        connections,
        lambda number: question(kind, used + number),
        delay=CONTROL_SECONDS if kind is CONTROL else 0.0,
    )
    if series is FORGOT:  # the page repeats the address
        subject.typed = lambda number: escape(address(kind, used + number)).encode()
    return subject


def _run_outage(cabin: Cabin, plan: Plan, progress: Progress) -> Sequence[Subject]:
    with ExitStack() as stack:
        services = {
            mode: stack.enter_context(_outage_service(cabin, plan, mode)) for mode in MAIL_SERVERS
        }
        subjects: list[Subject] = []
        for mode, service in services.items():
            # Opened when all are up: a connection that says nothing is closed soon.
            connection = stack.enter_context(Connection(service.port))
            subjects += [
                _outage_subject(kind, mode, service, connection) for kind in plan.kinds_of(OUTAGE)
            ]
        return _take(plan, OUTAGE, subjects, None, progress)


@contextmanager
def _outage_service(cabin: Cabin, plan: Plan, mode: str) -> Iterator[Service]:
    counts = plan.counts([OUTAGE])
    with mail_server(mode) as port, cabin.service(f"mail_{mode}", counts, port) as service:
        yield service


def _outage_subject(kind: Kind, mode: str, service: Service, connection: Connection) -> Subject:
    name = f"{kind.name}, mail server {MAIL_SERVERS[mode]}"
    return Subject(name, mode, [connection], lambda n: service.asking.reset(kind, n))


def _take(
    plan: Plan,
    series: Series,
    subjects: list[Subject],
    train: Train | None,
    progress: Progress,
) -> Sequence[Subject]:
    effort = plan.efforts[series.name]
    with on_the_load_core():
        ask_all(
            subjects,
            effort,
            plan.seed,
            train=train,
            is_enough=lambda: is_found(subjects),
            progress=lambda done: progress(series.name, done, effort.requests),
        )
    return subjects
