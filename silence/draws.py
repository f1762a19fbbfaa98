"""Asking the classes in an order drawn by lot. Judges no answer."""

import gc
import random
import re
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from silence.wire import Connection

Make = Callable[[int], bytes]
WARM_UP = 20
"""Requests of each class that are asked first and not counted."""

FEWEST = 10
"""Requests of each class before an effort may stop; whether it is time is asked that often."""

CONTROL_SECONDS = 0.001

CONTROL_MOST = 5_000
"""Requests of a control: to find a millisecond takes fewer than to find that there is none."""

# What may differ from answer to answer (RFC 9110, section 6.6.1; our own request id).
_ITS_OWN = re.compile(rb"(?m)^(x-request-id|date): [^\r]*")


@dataclass(slots=True, eq=False)
class Subject:
    """A class as it is asked: over which connections, with which requests.

    Subjects of one `group` have to look alike. `delay` (seconds) makes it a control. `typed` tells
    what an answer may repeat to the caller.
    """

    name: str
    group: str
    connections: Sequence[Connection]
    make: Make
    delay: float = 0.0
    typed: Callable[[int], bytes] | None = None
    numbers: Iterator[int] = field(default_factory=count)
    answers: "array[int]" = field(default_factory=lambda: array("q"))
    probes: "array[int]" = field(default_factory=lambda: array("q"))
    shapes: Counter[bytes] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Train:
    """Probes that follow each request: so many at once, then a rest of so many seconds.

    The times of one train are added up.
    """

    make: Make
    length: int = 1
    rest: float = 0.0
    numbers: Iterator[int] = field(default_factory=count)


@dataclass(frozen=True, slots=True)
class Effort:
    """When to stop: after so many requests a class, or soon after so many `seconds`.

    As long as the control is not found, the latter is put off to `patience` times the seconds.
    """

    requests: int
    seconds: float = float("inf")
    patience: float = 1.0


def ask_all(
    subjects: Sequence[Subject],
    effort: Effort,
    seed: int,
    *,
    train: Train | None = None,
    is_enough: Callable[[], bool] = lambda: True,
    progress: Callable[[int], None] = lambda done: None,
) -> int:
    """Ask every subject as the effort says and return how often the one that had the fewest.

    As many requests are under way at once as each subject has connections. Each is followed by a
    train, if there is one. A control is asked CONTROL_MOST times at most and not counted in what is
    returned.

    The whole order is one drawing, so that what comes before a request says nothing of its class:
    were each class asked once a round, a mailed one would have fewer mails just before it. The
    numbers of addresses begin with 0 and are never used twice; WARM_UP requests of each are asked
    and not counted. `is_enough` is asked once the time is over, up to the effort's patience.
    """
    chance = random.Random(seed)
    judged = [one for one in subjects if not one.delay] or subjects
    stride = FEWEST * len(subjects)

    def is_over(place: int) -> bool:
        if place % stride != stride - 1:
            return False
        taken = time.monotonic() - begun
        progress(_fewest(judged))
        if _fewest(subjects) < FEWEST or taken <= effort.seconds:
            return False
        return taken > effort.seconds * effort.patience or is_enough()

    with _no_garbage_collected():
        _walk(_draw(chance, subjects, WARM_UP), train, lambda place: False)
        _forget(subjects)
        begun = time.monotonic()
        _walk(_draw(chance, subjects, effort.requests), train, is_over)
    return _fewest(judged)


@contextmanager
def _no_garbage_collected() -> Iterator[None]:
    """Else the collector's pauses would fall on whoever comes just then."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _draw(chance: random.Random, subjects: Sequence[Subject], times: int) -> list[Subject]:
    order = [
        one for one in subjects for _ in range(min(times, CONTROL_MOST) if one.delay else times)
    ]
    chance.shuffle(order)
    return order


def _fewest(subjects: Sequence[Subject]) -> int:
    return min(len(one.answers) for one in subjects)


def _forget(subjects: Sequence[Subject]) -> None:
    for subject in subjects:
        del subject.answers[:], subject.probes[:]


def _walk(order: Sequence[Subject], train: Train | None, is_over: Callable[[int], bool]) -> None:
    """Ask in this order until it ends or is over; each thread takes whoever is next."""
    turns, ended, notes = enumerate(order), threading.Event(), threading.Lock()

    def follow(lane: int) -> None:
        try:
            for place, subject in turns:  # taking one is a single step of the interpreter
                _ask(subject, lane, notes)
                if train is not None:
                    _probe(subject, lane, train)
                if ended.is_set() or is_over(place):
                    return
        finally:
            ended.set()

    lanes = len(order[0].connections)
    with ThreadPoolExecutor(lanes) as pool:
        try:
            for lane in [pool.submit(follow, number) for number in range(lanes)]:
                lane.result()
        finally:
            ended.set()  # also when we are told to stop


def _ask(subject: Subject, lane: int, notes: threading.Lock) -> None:
    number = next(subject.numbers)
    taken, answer = subject.connections[lane].ask(subject.make(number), subject.delay)
    if subject.typed is not None:
        answer = answer.replace(subject.typed(number), b"TYPED")
    with notes:
        subject.answers.append(taken)
        subject.shapes[_ITS_OWN.sub(rb"\1: ITS OWN", answer)] += 1


def _probe(subject: Subject, lane: int, train: Train) -> None:
    taken = 0
    for place in range(train.length):
        delay = 0.0 if place else subject.delay  # a control has its delay once
        taken += subject.connections[lane].ask(train.make(next(train.numbers)), delay)[0]
    subject.probes.append(taken)
    time.sleep(train.rest)
