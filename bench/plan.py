"""Which cells are measured in which order, and what their repeats come to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields

from bench.figures import middle
from bench.rows import Cell, Figures, Row


@dataclass
class Outcome:
    """The repeats of one cell, or the reason why there is none."""

    cell: Cell
    repeats: list[Figures] = field(default_factory=list)
    failure: str | None = None

    def median(self) -> Figures | None:
        """Return the figures' medians, each over the repeats; statuses other than 200 added up."""
        if not self.repeats:
            return None
        names = [one.name for one in fields(Figures) if one.name != "not_200"]
        medians = {name: middle(getattr(one, name) for one in self.repeats) for name in names}
        return Figures(**medians, not_200=_added([one.not_200 for one in self.repeats]))  # type: ignore[arg-type]  # the rates are never None


def _added(counts: list[dict[str, int]]) -> dict[str, int]:
    names = sorted({name for count in counts for name in count})
    return {name: sum(count.get(name, 0) for count in counts) for name in names}


def cells(
    rows: Sequence[Row],
    stores: Sequence[str],
    processes: Sequence[int],
    connections: Sequence[int],
) -> Iterator[Cell]:
    """Yield the cells of one repeat: rows innermost, so that what is compared stands side by side.

    A row that needs no database is measured on the store `none`.
    """
    for count in processes:
        for connected in connections:
            for store in ["none", *stores]:
                for row in rows:
                    if store in row.stores and (count == 1 or row.can_multiply(store)):
                        yield Cell(row.letter, store, count, connected)
