"""A whole run as one value: for a terminal, as Markdown, as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.cores import Placement
from bench.marked import Block
from bench.tables import Table
from rich.console import Console

from silence.findings import (
    CONFIDENCE,
    CONTROL_CONFIDENCE,
    HIGH,
    LOW,
    Finding,
    Pair,
    Times,
    Verdict,
)
from silence.series import LOGIN
from silence.service import DATABASES

BLOCK = Block("silence", "silence --write")
"""Where a page has the report."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the program: its command, what it ran on; `notes` say how it measured."""

    command: str
    machine: dict[str, str]
    notes: Sequence[str]

    def facts(self) -> list[str]:
        """Return on what it ran, in words."""
        return [f"{name} {value}" for name, value in self.machine.items()]


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, and by which runs: one, or those whose reports were put together."""

    runs: Sequence[Run]
    findings: list[Finding]
    failures: dict[str, str]

    def is_well(self) -> bool:
        """Tell whether nothing was heard, every control was found, and nothing is missing."""
        return not self.failures and all(one.is_well() for one in self.findings)

    def tables(self) -> list[Table]:
        """Return the summary, and a table of classes for each finding."""
        strays = _strays(self.findings)
        return [
            _summary(self.findings),
            *([strays] if strays.lines else []),
            *map(_classes, self.findings),
        ]

    def show(self, console: Console) -> None:
        """Print the tables and what they were measured on."""
        for table in self.tables():
            console.print(table.rich())
        for line in self._how():
            console.print(line)
        for database, reason in self.failures.items():
            console.print(f"{DATABASES[database]} could not be measured: {reason}")

    def markdown(self) -> str:
        """Return everything as Markdown, to stand below a heading of the second level."""
        parts = ["\n".join(self._how())]
        for table in self.tables():
            parts += [f"### {table.title}", table.markdown()]
        parts += [f"{DATABASES[one]} could not be measured." for one in self.failures]
        return "\n\n".join(parts)

    def as_json(self) -> dict[str, Any]:
        """Return everything, every pair included, for `json.dump`."""
        return {
            "well": self.is_well(),
            "runs": [asdict(one) for one in self.runs],
            "failures": self.failures,
            "findings": [one.as_json() for one in self.findings],
        }

    def _how(self) -> list[str]:
        """Return the lines that say how it was measured; what holds for all runs once."""
        facts = _shared([run.facts() for run in self.runs])
        notes = _shared([run.notes for run in self.runs])
        lines = []
        for run in self.runs:
            its_own = "; ".join(fact for fact in run.facts() if fact not in facts)
            words = [*([f"{its_own}."] if its_own else []), *run.notes]
            more = " ".join(word for word in words if word not in notes)
            lines += [f"Command: `{run.command}`" + (f": {more}" if more else ""), ""]
        return [*lines, f"Measured on: {'; '.join(facts)}.", "", *(f"- {note}" for note in notes)]


def _shared(lists: Sequence[Sequence[str]]) -> list[str]:
    return [one for one in lists[0] if all(one in other for other in lists)]


def _summary(findings: Sequence[Finding]) -> Table:
    heads = ["database", "series", "a class", "pairs", "AUC of all pairs", "widest from 0.5"]
    heads += ["verdict", "control", "answers"]
    return Table("Summary", heads, [_summary_line(one) for one in findings], text_columns=2)


def _summary_line(finding: Finding) -> list[str]:
    pairs = finding.judged() or finding.compared()
    areas = [pair.area.value for pair in pairs]
    controls = {pair.second for pair in finding.controls()}
    fewest = min(one.count for one in finding.times if one.name not in controls)
    words = [*_where(finding), f"{fewest:,}", str(len(pairs))]
    if not pairs:
        return [*words, "-", "-", "-", _controls(finding), _shapes(finding)]
    widest = max(pairs, key=lambda pair: pair.area.distance)
    spread = f"{min(areas):.4f} to {max(areas):.4f}"
    return [*words, spread, _pair(widest), _verdict(pairs), _controls(finding), _shapes(finding)]


def _where(finding: Finding) -> tuple[str, str]:
    return DATABASES[finding.database], finding.series


def _verdict(judged: Sequence[Pair]) -> str:
    for verdict in (Verdict.HEARD, Verdict.OPEN):
        met = sum(pair.verdict is verdict for pair in judged)
        if met:
            return f"{met} {verdict}"
    return str(judged[0].verdict)


def _controls(finding: Finding) -> str:
    return ", ".join(f"{pair.area.value:.3f}, {pair.verdict}" for pair in finding.controls()) or "-"


def _shapes(finding: Finding) -> str:
    count = len(finding.shapes)
    return "one and the same" if count == 1 else f"{count} DIFFERENT"


def _strays(findings: Sequence[Finding]) -> Table:
    """Tell of each answer that was not the usual one of its series."""
    heads = ["database", "series", "answer", "asked for", "times"]
    lines = [
        [*_where(one), repr(stray.answer), ", ".join(stray.names), f"{stray.count:,}"]
        for one in findings
        for stray in one.shapes[1:]
    ]
    return Table("Other answers than the usual one", heads, lines, text_columns=4)


def _pair(pair: Pair) -> str:
    area = pair.area
    return f"{area.value:.4f} ({area.low:.4f} to {area.high:.4f}) {pair.first} / {pair.second}"


def _classes(finding: Finding) -> Table:
    title = f"{DATABASES[finding.database]}: {finding.title}"
    heads = ["class", "requests", "p50 ms", "p90 ms", "AUC with each class it has to look like"]
    return Table(title, heads, [_class_line(finding, one) for one in finding.times], 1)


def _class_line(finding: Finding, times: Times) -> list[str]:
    pairs = finding.judged() or finding.compared()
    areas = [pair.area.value for pair in pairs if times.name in (pair.first, pair.second)]
    spread = f"{min(areas):.4f} to {max(areas):.4f}" if areas else "-"
    return [times.name, f"{times.count:,}", f"{times.p50_ms:.3f}", f"{times.p90_ms:.3f}", spread]


def notes(seed: int, placement: Placement) -> list[str]:
    """Return how it is measured, in sentences."""
    return [
        "The load generator shares its one core with all of authreset, PostgreSQL and the mail "
        "server."
        if placement.load in placement.servers
        else "The load generator has one core to itself; all of authreset, PostgreSQL and the mail "
        "server share another one.",
        "Requests go one after the other over one keep-alive connection, those of `login` over "
        f"{LOGIN.abreast} at once; which class comes when is drawn by lot for the whole series "
        f"at once (seed {seed}).",
        "Each request is for an address that was never asked for before. Answers are compared "
        "byte for byte, header names and their order included, except for the values of "
        "x-request-id and date.",
        "After each request of `reset` follows one for nobody, judged by the class before it; "
        "after each of `later` sixteen, whose times are added up and reported only.",
        f"An interval holds with {CONFIDENCE:.2%} confidence ({CONTROL_CONFIDENCE:.0%} for the "
        f"control's). Silent: the AUC lies in {LOW} to {HIGH}; heard, or found: all of its "
        "interval lies outside.",
    ]
