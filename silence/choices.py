"""What a user chose to measure, checked. The command line itself lives in `__main__`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from silence import classes, series
from silence.classes import Kind
from silence.draws import Effort
from silence.series import Plan, Series

SERIES = tuple(series.ALL)
REQUESTS = 50_000
QUICK_KINDS = (
    classes.UNKNOWN, classes.ACTIVE, classes.LOCKED, classes.LIMITED,
    classes.WRONG, classes.NO_PASSWORD, classes.FOREIGN,
)  # fmt: skip
QUICK_SECONDS = {"reset": 5.0, "later": 2.5, "forgot": 1.5, "login": 2.5, "outage": 2.0}
QUICK_PATIENCE = 4.0
QUICK_REQUESTS = 1_500
"""As many users are stored, so that a fast machine does not spend its time on that."""

SHARES = {"reset": 0.5, "later": 0.15, "forgot": 0.1, "login": 0.1, "outage": 0.15}
"""Of the minutes that there are."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What to measure and how thoroughly."""

    databases: Sequence[str]
    series: Sequence[str]
    kinds: Sequence[Kind]
    requests: int
    minutes: float | None
    quick: bool
    seed: int

    def plan(self) -> Plan:
        """Return the plan for each database."""
        named = [series.ALL[name] for name in self.series]
        chosen = [one for one in named if set(one.kinds) & set(self.kinds)]
        efforts = {one.name: self._effort(one) for one in chosen}
        # Few log-ins fit into a few seconds: they bound what can be heard, and find no millisecond.
        must_find = frozenset({"reset"} if self.quick else self.series)
        return Plan(chosen, self.kinds, efforts, self.seed, must_find)

    def _effort(self, one: Series) -> Effort:
        if self.quick:
            patience = QUICK_PATIENCE if one is series.RESET else 1.0
            return Effort(QUICK_REQUESTS, QUICK_SECONDS[one.name], patience)
        requests = max(self.requests // one.divisor, 2)
        if self.minutes is None:
            return Effort(requests)
        whole = sum(SHARES[name] for name in self.series)
        return Effort(requests, self.minutes * 60 * SHARES[one.name] / whole)


def words(text: str, known: Iterable[str], option: str) -> list[str]:
    """Return the words of a comma-separated list; ValueError for one that is not known."""
    chosen = list(dict.fromkeys(word.strip() for word in text.split(",")))
    for word in chosen:
        if word not in known:
            raise ValueError(f"{option}: {word!r} is none of {', '.join(known)}")
    return chosen


def kinds(text: str, quick: bool) -> Sequence[Kind]:
    """Return the classes that a user named, or the usual ones."""
    if text:
        return classes.find(words(text, [kind.name for kind in classes.ALL_KINDS], "--classes"))
    return QUICK_KINDS if quick else classes.ALL_KINDS
