"""Arithmetic on samples: percentiles, medians, units. No measuring and no printing here."""

import math
from collections.abc import Iterable, Sequence
from statistics import median


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile of samples sorted ascending.

    `share` lies in 0..1. The answer is one of the samples, never an interpolation; NaN for none.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie in 0..1, not {share}")
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def middle(values: Iterable[float | None]) -> float | None:
    """Return the median of the values that are there, or None when none is."""
    known = [value for value in values if value is not None and not math.isnan(value)]
    return median(known) if known else None


def ratio(left: float | None, right: float | None) -> float | None:
    """Return left / right, or None where either is missing or right is zero."""
    return left / right if left is not None and right else None
