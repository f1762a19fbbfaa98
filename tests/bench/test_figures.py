"""Percentiles and medians."""

import math

import pytest
from bench.figures import middle, percentile, ratio
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100)]
)
def test_percentile_is_the_nearest_rank(share: float, expected: float) -> None:
    assert percentile(range(1, 101), share) == expected


def test_percentile_of_few_samples() -> None:
    assert percentile([7.0], 0.99) == 7
    assert percentile([1.0, 2.0], 0.5) == 1
    assert math.isnan(percentile([], 0.5))
    with pytest.raises(ValueError, match="share"):
        percentile([1.0], 99)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_that_share_of_the_samples_is_no_larger(samples: list[float], share: float) -> None:
    ordered = sorted(samples)
    found = percentile(ordered, share)
    assert found in ordered
    assert sum(one <= found for one in ordered) >= share * len(ordered) * (1 - 1e-12)


def test_middle_leaves_out_what_is_missing() -> None:
    assert middle([3.0, None, 1.0, 2.0, math.nan]) == 2
    assert middle([None, math.nan]) is None


def test_ratio_needs_both() -> None:
    assert ratio(3.0, 2.0) == 1.5
    assert ratio(None, 2.0) is None
    assert ratio(3.0, 0.0) is None
