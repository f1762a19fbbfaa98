"""The area under the ROC curve by ranks: against counting all pairs, and what an interval holds."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from silence.auc import compare

TIMES = st.lists(st.integers(0, 12), min_size=2, max_size=40).map(sorted)


def counted(first: list[int], second: list[int]) -> float:
    won = sum((other > one) + (other == one) / 2 for one in first for other in second)
    return won / (len(first) * len(second))


@given(TIMES, TIMES)
def test_the_area_is_the_share_of_pairs_won_with_ties_as_halves(
    first: list[int], second: list[int]
) -> None:
    area = compare(first, second, 0.99)

    assert area.value == pytest.approx(counted(first, second))
    assert area.low <= area.value <= area.high


@given(TIMES, TIMES)
def test_it_turns_around_with_its_classes(first: list[int], second: list[int]) -> None:
    assert compare(first, second, 0.99).value == pytest.approx(
        1 - compare(second, first, 0.99).value
    )


def test_one_outlier_weighs_as_much_as_any_slowest_answer() -> None:
    plain, slow = list(range(100)), list(range(99))

    assert compare(plain, [*slow, 100], 0.99) == compare(plain, [*slow, 10**12], 0.99)


def test_classes_that_do_not_overlap_are_told_apart_but_not_for_certain() -> None:
    area = compare(list(range(100)), list(range(200, 300)), 0.99)

    assert area.value == 1
    assert 0.9 < area.low < 1


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    chance, held = random.Random(20261123), 0
    for _ in range(400):
        first = sorted(chance.randrange(10**6) for _ in range(150))
        second = sorted(chance.randrange(10**6) for _ in range(150))
        area = compare(first, second, 0.9)
        held += area.low <= 0.5 <= area.high

    assert 0.85 < held / 400 < 0.95


def test_it_narrows_with_the_root_of_the_number() -> None:
    chance = random.Random(20261123)

    def width(count: int) -> float:
        first, second = (sorted(chance.random() for _ in range(count)) for _ in range(2))
        area = compare(first, second, 0.99)  # type: ignore[arg-type]  # any ordered numbers do
        return area.high - area.low

    assert width(400) / width(6_400) == pytest.approx(4, rel=0.15)
