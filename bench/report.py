"""A whole run as one value: for a terminal, as Markdown, as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console

from bench.plan import Outcome
from bench.probe import Finding
from bench.tables import Table, findings_table, main_table, targets_table
from bench.targets import verdicts


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured, on what, by which command; `notes` say how."""

    command: str
    machine: dict[str, str]
    notes: Sequence[str]
    titles: dict[str, str]
    outcomes: Sequence[Outcome]
    findings: Sequence[Finding]

    def tables(self) -> list[Table]:
        """Return the tables that have lines."""
        judged = verdicts(self.outcomes, self.findings)
        made = [
            main_table(self.outcomes, self.titles),
            findings_table(self.findings),
            targets_table(judged),
        ]
        return [table for table in made if table.lines]

    def complete(self) -> bool:
        """Tell whether everything chosen could be measured."""
        failed = any(one.failure for one in self.outcomes)
        return not failed and all(one.value is not None for one in self.findings)

    def show(self, console: Console) -> None:
        """Print the tables and what they were measured on."""
        for table in self.tables():
            console.print(table.rich())
        console.print(", ".join(f"{name}: {value}" for name, value in self.machine.items()))
        for note in self.notes:
            console.print(f"- {note}")

    def markdown(self) -> str:
        """Return everything as Markdown, to stand below a heading of the second level."""
        facts = "; ".join(f"{name} {value}" for name, value in self.machine.items())
        parts = [f"Command: `{self.command}`", f"Measured on: {facts}."]
        parts.append("\n".join(f"- {note}" for note in self.notes))
        for table in self.tables():
            parts += [f"### {table.title}", table.markdown()]
        return "\n\n".join(parts)

    def as_json(self) -> dict[str, Any]:
        """Return everything, every repeat included, for `json.dump`."""
        return {
            "command": self.command,
            "machine": self.machine,
            "notes": list(self.notes),
            "rows": [asdict(one) | {"median": _median(one)} for one in self.outcomes],
            "findings": [asdict(one) for one in self.findings],
            "targets": [
                asdict(one) | {"verdict": one.word()}
                for one in verdicts(self.outcomes, self.findings)
            ],
        }


def _median(outcome: Outcome) -> dict[str, Any] | None:
    figures = outcome.median()
    return None if figures is None else asdict(figures)
