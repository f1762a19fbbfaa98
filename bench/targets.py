"""The promises of the project as ratios within one run, and whether this run kept them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.figures import ratio
from bench.plan import Outcome
from bench.probe import Finding
from bench.rows import Figures

PG, SLOW = "postgres", "postgres-5ms"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target: what is promised, what was measured (None: not in this run), how to compare."""

    target: str
    needed: str
    measured: float | None
    kept: bool | None
    unit: str = ""

    def word(self) -> str:
        """Return `met`, `missed` or `not measured`."""
        return {True: "met", False: "missed", None: "not measured"}[self.kept]


class Seen:
    """Look-up of the medians of a run; one process unless told otherwise."""

    def __init__(self, outcomes: Sequence[Outcome], found: Sequence[Finding]) -> None:
        self._medians = {
            (one.cell.row, one.cell.store, one.cell.connections): one.median()
            for one in outcomes
            if one.cell.processes == 1
        }
        self._found = {(one.name, one.store): one.value for one in found}

    def rate(self, row: str, store: str, connections: int = 64) -> float | None:
        """Return requests a second."""
        return self._figure(row, store, connections, lambda figures: figures.per_second)

    def p50(self, row: str, store: str, connections: int = 64) -> float | None:
        """Return the median latency in milliseconds."""
        return self._figure(row, store, connections, lambda figures: figures.p50_ms)

    def p99(self, row: str, store: str, connections: int = 64) -> float | None:
        """Return the 99th percentile of the latency in milliseconds."""
        return self._figure(row, store, connections, lambda figures: figures.p99_ms)

    def finding(self, name: str, store: str = PG) -> float | None:
        """Return a figure of a separate measurement."""
        return self._found.get((name, store))

    def _figure(
        self, row: str, store: str, connections: int, of: Callable[[Figures], float]
    ) -> float | None:
        figures = self._medians.get((row, store, connections))
        return None if figures is None else of(figures)


def verdicts(outcomes: Sequence[Outcome], found: Sequence[Finding]) -> list[Verdict]:
    """Judge a run: PostgreSQL, one process, 64 connections where no other number is named."""
    seen = Seen(outcomes, found)
    return [
        *_throughput(seen),
        _at_most("1 connection: p50 of (a) / (p50 of (d) + p50 of (c))", 1.5, _lone(seen)),
        _at_most(
            "intake p99: mailer at full speed / quiet",
            2.0,
            ratio(
                seen.finding("intake, mailer at full speed, p99"),
                seen.finding("intake, quiet, p99"),
            ),
        ),
        _at_most(
            "200 to SMTP acceptance when idle, p99",
            250.0,
            seen.finding("200 to SMTP acceptance, idle, p99"),
            "ms",
        ),
    ]


def _throughput(seen: Seen) -> list[Verdict]:
    rate, p99 = seen.rate, seen.p99
    return [
        _at_least("req/s: (a) / (b)", 20.0, ratio(rate("a", PG), rate("b", PG))),
        _at_most("p99: (a) / (b)", 0.1, ratio(p99("a", PG), p99("b", PG))),
        _at_least("req/s: (a) / (c)", 0.75, ratio(rate("a", PG), rate("c", "none"))),
        _at_least("req/s: (a) / (d), this disk", 1.0, ratio(rate("a", PG), rate("d", PG))),
        _at_least("req/s: (a) / (d), fsync +5 ms", 1.5, ratio(rate("a", SLOW), rate("d", SLOW))),
    ]


def _lone(seen: Seen) -> float | None:
    commit, http = seen.p50("d", PG, 1), seen.p50("c", "none", 1)
    if commit is None or http is None:
        return None
    return ratio(seen.p50("a", PG, 1), commit + http)


def _at_least(target: str, needed: float, measured: float | None) -> Verdict:
    kept = None if measured is None else measured >= needed
    return Verdict(target, f"at least {needed:g}", measured, kept)


def _at_most(target: str, needed: float, measured: float | None, unit: str = "") -> Verdict:
    kept = None if measured is None else measured <= needed
    return Verdict(target, f"at most {needed:g} {unit}".rstrip(), measured, kept, unit)
