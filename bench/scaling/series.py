"""Measures taken at several sizes in turns, so that what is compared was measured side by side."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.figures import middle, ratio
from bench.tables import Table, number


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is measured; each call of `sample` gives one figure."""

    name: str
    sample: Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Scene:
    """What is measured at one size."""

    size: int
    measures: Sequence[Measure]


@dataclass
class Series:
    """The samples of every measure at every size. Figures are milliseconds."""

    title: str
    axis: str
    sizes: Sequence[int]
    samples: dict[str, dict[int, list[float]]] = field(default_factory=dict)

    def add(self, name: str, size: int, figure: float) -> None:
        """Keep a sample."""
        self.samples.setdefault(name, {}).setdefault(size, []).append(figure)

    def medians(self, name: str) -> list[float | None]:
        """Return the median at each size."""
        return [middle(self.samples[name].get(size, [])) for size in self.sizes]

    def table(self) -> Table:
        """Return the medians, and the largest size against the smallest."""
        heads = ["ms", *(f"{size:,} {self.axis}" for size in self.sizes), "largest / smallest"]
        return Table(self.title, heads, [self._line(name) for name in self.samples])

    def _line(self, name: str) -> list[str]:
        medians = self.medians(name)
        grown = ratio(medians[-1], medians[0])
        return [name, *map(number, medians), number(grown)]

    def as_json(self) -> dict[str, Any]:
        """Return every sample."""
        return {"title": self.title, "axis": self.axis, "milliseconds": self.samples}


async def take(
    series: Series, scenes: Sequence[Scene], rounds: int, tell: Callable[[], None]
) -> None:
    """Take samples: every round goes through all sizes, and the first one is only a warm-up."""
    for turn in range(rounds + 1):
        for scene in scenes:
            for measure in scene.measures:
                figure = await measure.sample()
                if turn:
                    series.add(measure.name, scene.size, figure)
            tell()
