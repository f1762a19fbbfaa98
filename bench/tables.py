"""The tables of a run as lists of words, drawn for a terminal or as Markdown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table as RichTable

from bench.plan import Outcome
from bench.probe import Finding
from bench.rows import Figures
from bench.targets import Verdict
from bench.workshop import TITLES

DASH = "-"


@dataclass(frozen=True, slots=True)
class Table:
    """A title, the heads of the columns, and lines of as many words; the first columns are text."""

    title: str
    heads: Sequence[str]
    lines: Sequence[Sequence[str]]
    text_columns: int = 1

    def rich(self) -> RichTable:
        """Return the table for a terminal."""
        drawn = RichTable(title=self.title, title_justify="left")
        for number, head in enumerate(self.heads):
            drawn.add_column(head, justify="left" if number < self.text_columns else "right")
        for line in self.lines:
            drawn.add_row(*line)
        return drawn

    def markdown(self) -> str:
        """Return the table in Markdown, without its title."""
        rule = [":--" if n < self.text_columns else "--:" for n in range(len(self.heads))]
        return "\n".join(
            "| " + " | ".join(word.replace("|", "\\|").replace("\n", " ") for word in line) + " |"
            for line in [self.heads, rule, *self.lines]
        )


def number(value: float | None) -> str:
    """Return a figure with three digits that count, thousands set apart."""
    if value is None or math.isnan(value):
        return DASH
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def quantity(value: float | None, unit: str) -> str:
    """Return a figure with its unit."""
    return DASH if value is None else f"{number(value)} {unit}".strip()


def main_table(outcomes: Sequence[Outcome], titles: dict[str, str]) -> Table:
    """Return the table of all rows; `titles` names them by their letter."""
    heads = ["row", "database", "procs", "conns", "req/s", "p50 ms", "p99 ms"]
    heads += ["CPU", "PG CPU", "RSS", "PSS", "not 200"]
    ordered = sorted(
        outcomes,
        key=lambda one: (
            list(TITLES).index(one.cell.store),
            one.cell.processes,
            one.cell.connections,
            one.cell.row,
        ),
    )
    return Table("Rows", heads, [_line(one, titles) for one in ordered], text_columns=2)


def _line(outcome: Outcome, titles: dict[str, str]) -> list[str]:
    cell, figures = outcome.cell, outcome.median()
    words = [f"({cell.row}) {titles[cell.row]}", TITLES[cell.store]]
    words += [str(cell.processes), str(cell.connections)]
    if figures is None:
        return [*words, f"failed: {outcome.failure}", *[DASH] * 7]
    return [*words, *_figures(figures)]


def _figures(figures: Figures) -> list[str]:
    values = [figures.per_second, figures.p50_ms, figures.p99_ms, figures.cpu_ms]
    values += [figures.database_cpu_ms, figures.rss_mib, figures.pss_mib]
    refused = ", ".join(f"{name}: {count}" for name, count in figures.not_200.items())
    return [*map(number, values), refused or "0"]


def findings_table(findings: Sequence[Finding]) -> Table:
    """Return the table of the separate measurements."""
    lines = [
        [one.name, TITLES[one.store], quantity(one.value, one.unit), one.detail] for one in findings
    ]
    return Table("Separately", ["measurement", "database", "median", "remarks"], lines, 4)


def targets_table(verdicts: Sequence[Verdict]) -> Table:
    """Return the table of targets, met or missed."""
    lines = [
        [one.target, one.needed, quantity(one.measured, one.unit), one.word()] for one in verdicts
    ]
    return Table("Targets", ["target", "needed", "measured", "verdict"], lines, 4)
