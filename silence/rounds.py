"""Asking in rounds: every class once a round, in an order drawn anew. Judges no answer."""

import gc
import random
import re
import time
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from silence.wire import Connection

Make = Callable[[int], bytes]
WARM_UP_ROUNDS = 20
FEWEST_ROUNDS = 10
"""At least so many, and whether it is time to stop is asked that often."""

CONTROL_SECONDS = 0.001

# What may differ from answer to answer (RFC 9110, section 6.6.1; our own request id).
_ITS_OWN = re.compile(rb"(?m)^(x-request-id|date): [^\r]*")


@dataclass(slots=True, eq=False)
class Subject:
    """A class as it is asked: over which connection, with which requests.

    Subjects of one `group` have to look alike. `delay` (seconds) makes it a control. `typed` tells
    what an answer may repeat to the caller.
    """

    name: str
    group: str
    connection: Connection
    make: Make
    delay: float = 0.0
    typed: Callable[[int], bytes] | None = None
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


@dataclass(frozen=True, slots=True)
class Effort:
    """When to stop: after so many rounds, or after the first round that ends beyond `seconds`.

    As long as the control is not found, the latter is put off to `patience` times the seconds.
    """

    rounds: int
    seconds: float = float("inf")
    patience: float = 1.0


def run_rounds(
    subjects: Sequence[Subject],
    effort: Effort,
    seed: int,
    *,
    train: Train | None = None,
    is_enough: Callable[[], bool] = lambda: True,
    progress: Callable[[int], None] = lambda done: None,
) -> int:
    """Ask every subject once a round, each followed by a train if there is one. Returns the rounds.

    The numbers of addresses begin with 0 and are never used twice; the first WARM_UP_ROUNDS are
    asked and not counted. `is_enough` is asked once the time is over, up to the effort's patience.
    """
    chance, begun = random.Random(seed), time.monotonic()
    gc.collect()
    gc.disable()  # else its pauses would fall on whoever comes just then
    try:
        for number in range(effort.rounds + WARM_UP_ROUNDS):
            if number == WARM_UP_ROUNDS:
                _forget(subjects)
                begun = time.monotonic()
            order = list(subjects)
            chance.shuffle(order)
            for place, subject in enumerate(order):
                _ask(subject, number)
                if train is not None:
                    _probe(subject, train, number * len(order) + place)
            done = number + 1 - WARM_UP_ROUNDS
            progress(max(0, done))
            if done > 0 and done % FEWEST_ROUNDS == 0:
                taken = time.monotonic() - begun
                if taken > effort.seconds * effort.patience:
                    return done
                if taken > effort.seconds and is_enough():
                    return done
        return effort.rounds
    finally:
        gc.enable()


def _forget(subjects: Sequence[Subject]) -> None:
    for subject in subjects:
        del subject.answers[:], subject.probes[:]


def _ask(subject: Subject, number: int) -> None:
    taken, answer = subject.connection.ask(subject.make(number), subject.delay)
    subject.answers.append(taken)
    if subject.typed is not None:
        answer = answer.replace(subject.typed(number), b"TYPED")
    subject.shapes[_ITS_OWN.sub(rb"\1: ITS OWN", answer)] += 1


def _probe(subject: Subject, train: Train, number: int) -> None:
    taken = 0
    for place in range(train.length):
        delay = 0.0 if place else subject.delay  # a control has its delay once
        request = train.make(number * train.length + place)
        taken += subject.connection.ask(request, delay)[0]
    subject.probes.append(taken)
    time.sleep(train.rest)
