"""Running the plan: every repeat goes through all cells before the next repeat begins."""

from collections.abc import Callable, Sequence
from functools import partial

from bench.plan import Outcome
from bench.rows import Cell, Effort, Row
from bench.workshop import Workshop

Progress = Callable[[str], None]
"""Told what is being done, just before it is done."""


def run_rows(
    shop: Workshop,
    rows: Sequence[Row],
    plan: Sequence[Cell],
    effort: Effort,
    repeats: int,
    progress: Progress,
) -> list[Outcome]:
    """Measure every cell `repeats` times; a cell that fails keeps its reason and is left out."""
    known = {row.letter: row for row in rows}
    outcomes = {cell: Outcome(cell) for cell in plan}
    prepare(shop, known, outcomes, progress)
    for repeat in range(1, repeats + 1):
        for cell, outcome in outcomes.items():
            progress(f"{describe(cell)}, repeat {repeat} of {repeats}")
            if outcome.failure is None:
                measure(shop, known[cell.row], outcome, effort)
    return list(outcomes.values())


def describe(cell: Cell) -> str:
    """Return a cell in a few words."""
    return (
        f"({cell.row}) {cell.store}, {cell.processes} process{'es' * (cell.processes > 1)}, "
        f"{cell.connections} connection{'s' * (cell.connections > 1)}"
    )


def prepare(
    shop: Workshop, rows: dict[str, Row], outcomes: dict[Cell, Outcome], progress: Progress
) -> None:
    """Prepare each row on each of its stores; note the failure in all of its cells."""
    for letter, store in dict.fromkeys((cell.row, cell.store) for cell in outcomes):
        failure = shop.missing.get(store)
        if failure is None:
            progress(f"({letter}) {store}: preparing")
            failure = failure_of(partial(rows[letter].prepare, shop.stores[store]))
        for cell, outcome in outcomes.items():
            if (cell.row, cell.store) == (letter, store):
                outcome.failure = failure


def measure(shop: Workshop, row: Row, outcome: Outcome, effort: Effort) -> None:
    """Add one repeat to an outcome, or the reason why it cannot be had."""

    def once() -> None:
        outcome.repeats.append(row.measure(shop.stores[outcome.cell.store], outcome.cell, effort))

    outcome.failure = failure_of(once)


def failure_of(action: Callable[[], None]) -> str | None:
    """Run an action; return why it failed, for a long run must not end for one cell."""
    try:
        action()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None
