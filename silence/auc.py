"""How well two classes can be told apart by their times: the area under the ROC curve.

Ranks alone count, so an outlier weighs as much as any slow answer and nothing is left out. No
measuring lives here, and no verdict on what an area means.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, variance


@dataclass(frozen=True, slots=True)
class Area:
    """The chance that a time of the second class is longer than one of the first; ties count half.

    0.5 tells nothing, 0 or 1 everything. `low` and `high` bound it with the confidence asked for.
    """

    value: float
    low: float
    high: float

    @property
    def distance(self) -> float:
        """How far it is from telling nothing."""
        return abs(self.value - 0.5)


def compare(first: Sequence[int], second: Sequence[int], confidence: float) -> Area:
    """Return the area for two classes of times, each sorted ascending and of two or more.

    The Mann-Whitney statistic by mid-ranks, its variance by the placements of the times among each
    other (DeLong, DeLong and Clarke-Pearson 1988), which holds for any distribution.
    """
    of_second = _placements(second, first)
    of_first = _placements(first, second)
    value = fmean(of_second)
    spread = variance(of_second) / len(second) + variance(of_first) / len(first)
    # Classes that do not overlap have no variance, yet no sample proves that for good (rule of 3).
    error = max(spread**0.5, 1 / min(len(first), len(second)))
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return Area(value, max(0.0, value - reach), min(1.0, value + reach))


def _placements(times: Sequence[int], among: Sequence[int]) -> list[float]:
    """Return, for each time, the share of the others that are shorter; equal ones count half."""
    twice = 2 * len(among)
    return [(bisect_left(among, one) + bisect_right(among, one)) / twice for one in times]
