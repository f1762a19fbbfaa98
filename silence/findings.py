"""What the times of a series mean: the area for every pair, and whether it tells the classes apart.

No measuring and no printing here.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import combinations
from typing import Any

from bench.figures import percentile

from silence.auc import Area, compare
from silence.draws import Subject

LOW, HIGH = 0.49, 0.51
"""An area between them tells the classes apart by nothing that is worth the name."""

CONFIDENCE = 0.9999
"""Of each interval: with some hundred pairs in a run, one in fifty runs has one that is wrong."""


CONTROL_CONFIDENCE = 0.99
"""Whether the control was found is asked once a series, and to find it by luck fails nobody."""


class Verdict(StrEnum):
    """What an area says, given its interval."""

    SILENT = "silent"
    OPEN = "too few"
    HEARD = "HEARD"
    FOUND = "found"
    MISSED = "MISSED"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two classes, the area between them, and its verdict."""

    first: str
    second: str
    area: Area
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Times:
    """The times of one class: how many, and percentiles in milliseconds."""

    name: str
    count: int
    p50_ms: float
    p90_ms: float


@dataclass(frozen=True, slots=True)
class Shape:
    """One of the different answers to a series: how often, and the classes that it was given to."""

    answer: str
    count: int
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One analysis of one series on one database. `shapes`: its answers, the usual one first.

    `must_find` tells whether it is a failure when the control was not found.
    """

    database: str
    series: str
    title: str
    times: Sequence[Times]
    pairs: Sequence[Pair]
    shapes: Sequence[Shape]
    must_find: bool

    def judged(self) -> list[Pair]:
        """Return the pairs that have to look alike."""
        judged = (Verdict.SILENT, Verdict.OPEN, Verdict.HEARD)
        return [pair for pair in self.pairs if pair.verdict in judged]

    def compared(self) -> list[Pair]:
        """Return all pairs but those with the control."""
        return [one for one in self.pairs if one not in self.controls()]

    def controls(self) -> list[Pair]:
        """Return the pairs with the control, which have to look different."""
        return [one for one in self.pairs if one.verdict in (Verdict.FOUND, Verdict.MISSED)]

    def is_well(self) -> bool:
        """Tell whether no pair was heard, the control was found and all answers were one."""
        seen = {pair.verdict for pair in self.pairs}
        is_blind = self.must_find and Verdict.MISSED in seen
        return len(self.shapes) == 1 and Verdict.HEARD not in seen and not is_blind

    def as_json(self) -> dict[str, Any]:
        """Return everything for `json.dump`."""
        return asdict(self)


def judge(area: Area) -> Verdict:
    """Judge two classes that have to look alike. Heard is only what cannot well be chance."""
    if area.low > HIGH or area.high < LOW:
        return Verdict.HEARD
    return Verdict.SILENT if LOW <= area.value <= HIGH else Verdict.OPEN


def judge_control(area: Area) -> Verdict:
    """Judge classes of which the second one is slower on purpose."""
    return Verdict.FOUND if area.low > HIGH else Verdict.MISSED


def is_found(subjects: Iterable[Subject]) -> bool:
    """Tell whether the control among these subjects, if there is one, is found by now."""
    answers = {one: sorted(one.answers) for one in subjects}
    probes = {one: sorted(one.probes) for one in subjects if one.probes}
    pairs = (*_controls(answers), *_controls(probes))
    return all(pair.verdict is Verdict.FOUND for pair in pairs)


def analyse(
    database: str,
    name: str,
    title: str,
    subjects: Sequence[Subject],
    *,
    must_find: bool,
    judges_probes: bool = True,
) -> Iterator[Finding]:
    """Compare the answers of a series, then the probes that followed them where there were any."""
    shapes = _shapes(subjects)
    answers = {one: sorted(one.answers) for one in subjects}
    probes = {one: sorted(one.probes) for one in subjects if one.probes}
    yield Finding(database, name, title, *_compare_all(answers), shapes, must_find)
    if probes:
        after = f"what follows {title}"
        times, pairs = _compare_all(probes, judges_probes)
        yield Finding(database, f"after {name}", after, times, pairs, shapes, must_find)


def _shapes(subjects: Sequence[Subject]) -> list[Shape]:
    counted = sum((one.shapes for one in subjects), Counter[bytes]())
    return [
        Shape(
            answer.decode("latin-1"), count, [one.name for one in subjects if answer in one.shapes]
        )
        for answer, count in counted.most_common()
    ]


def _compare_all(
    ordered: Mapping[Subject, Sequence[int]], is_judged: bool = True
) -> tuple[list[Times], list[Pair]]:
    times = [_times(one.name, found) for one, found in ordered.items()]
    pairs = [
        _pair(first, second, ordered, is_judged and first.group == second.group)
        for first, second in combinations(ordered, 2)
        if "control" not in (first.group, second.group)
    ]
    return times, [*pairs, *_controls(ordered)]


def _pair(
    first: Subject, second: Subject, ordered: Mapping[Subject, Sequence[int]], is_judged: bool
) -> Pair:
    area = compare(ordered[first], ordered[second], CONFIDENCE)
    return Pair(first.name, second.name, area, judge(area) if is_judged else Verdict.NOT_JUDGED)


def _controls(ordered: Mapping[Subject, Sequence[int]]) -> Iterator[Pair]:
    """Compare each control with all classes that it differs from by its delay alone."""
    plain = sorted(t for one, found in ordered.items() if one.group == "plain" for t in found)
    for control, found in ordered.items():
        if control.group == "control":
            area = compare(plain, found, CONTROL_CONFIDENCE)
            yield Pair("all plain classes", control.name, area, judge_control(area))


def _times(name: str, ordered: Sequence[int]) -> Times:
    p50, p90 = percentile(ordered, 0.5) / 1e6, percentile(ordered, 0.9) / 1e6
    return Times(name, len(ordered), p50, p90)
