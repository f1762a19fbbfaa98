"""What is concluded from times: silence, noise, and a control that has to be found."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from silence.auc import Area
from silence.draws import Subject
from silence.findings import Finding, Verdict, analyse, is_found, judge
from silence.report import Report, Run


def subject(name: str, times: Sequence[int], group: str = "plain", **options: Any) -> Subject:
    made = Subject(name, group, [], bytes, **options)
    made.answers.extend(times)
    made.shapes[b"HTTP/1.1 200 OK"] += 1
    return made


def drawn(chance: random.Random, count: int, later: int = 0) -> list[int]:
    return [int(chance.gauss(500_000, 100_000)) + later for _ in range(count)]


def only(subjects: Sequence[Subject]) -> Finding:
    (found,) = analyse("sqlite", "reset", "the call", subjects, must_find=True)
    return found


@pytest.mark.parametrize(
    ("area", "verdict"),
    [
        (Area(0.500, 0.480, 0.520), Verdict.SILENT),
        (Area(0.510, 0.490, 0.530), Verdict.SILENT),
        (Area(0.530, 0.500, 0.560), Verdict.OPEN),
        (Area(0.530, 0.511, 0.549), Verdict.HEARD),
        (Area(0.470, 0.451, 0.489), Verdict.HEARD),
    ],
)
def test_only_what_cannot_well_be_chance_is_heard(area: Area, verdict: Verdict) -> None:
    assert judge(area) is verdict


def test_classes_alike_are_silent_and_a_late_control_is_found() -> None:
    chance = random.Random(20261123)
    control = subject("control", drawn(chance, 2_000, later=1_000_000), "control")
    found = only([*(subject(name, drawn(chance, 20_000)) for name in "ab"), control])

    assert [pair.verdict for pair in found.judged()] == [Verdict.SILENT]
    assert [pair.verdict for pair in found.controls()] == [Verdict.FOUND]
    assert found.is_well()


def test_a_class_that_takes_a_tenth_of_a_deviation_longer_is_heard() -> None:
    chance = random.Random(20261123)
    found = only([subject("a", drawn(chance, 20_000)), subject("b", drawn(chance, 20_000, 10_000))])

    assert [pair.verdict for pair in found.judged()] == [Verdict.HEARD]
    assert not found.is_well()


def test_a_run_that_does_not_find_its_control_proves_nothing() -> None:
    chance = random.Random(20261123)
    subjects = [subject("a", drawn(chance, 200)), subject("control", drawn(chance, 200), "control")]

    assert not is_found(subjects)
    assert not only(subjects).is_well()


def test_what_the_caller_typed_is_compared_and_not_judged() -> None:
    chance = random.Random(20261123)
    found = only(
        [subject("a", drawn(chance, 9_000)), subject("b", drawn(chance, 9_000, 90_000), "odd")]
    )

    assert [pair.verdict for pair in found.pairs] == [Verdict.NOT_JUDGED]
    assert found.is_well()


def test_one_different_answer_is_enough_to_fail_and_is_shown() -> None:
    chance = random.Random(20261123)
    subjects = [subject(name, drawn(chance, 9_000)) for name in "ab"]
    subjects[0].shapes[b"HTTP/1.1 200 OK"] += 1
    subjects[1].shapes[b"HTTP/1.1 503 Busy"] += 1
    found = only(subjects)
    report = Report([Run("silence", {}, [])], [found], {})

    assert not found.is_well()
    assert "| reset | 'HTTP/1.1 503 Busy' | b | 1 |" in report.markdown()
    assert "HTTP/1.1 200 OK" not in report.markdown()


def test_probes_are_told_by_the_class_before_them() -> None:
    chance = random.Random(20261123)
    subjects = [subject(name, drawn(chance, 9_000)) for name in "ab"]
    for one, later in zip(subjects, (0, 50_000), strict=True):
        one.probes.extend(drawn(chance, 9_000, later))
    answers, following = analyse("sqlite", "reset", "the call", subjects, must_find=True)

    assert answers.is_well()
    assert following.series == "after reset"
    assert [pair.verdict for pair in following.judged()] == [Verdict.HEARD]


def test_probes_that_are_reported_only_fail_nothing() -> None:
    chance = random.Random(20261123)
    subjects = [subject(name, drawn(chance, 9_000)) for name in "ab"]
    for one, later in zip(subjects, (0, 50_000), strict=True):
        one.probes.extend(drawn(chance, 9_000, later))
    _, following = analyse("x", "later", "it", subjects, must_find=True, judges_probes=False)

    assert [pair.verdict for pair in following.compared()] == [Verdict.NOT_JUDGED]
    assert following.is_well()
