"""The result of a drill as one value: for a terminal, as Markdown, as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.tables import Table
from rich.console import Console

from drill.audit import Violation
from drill.faults import ALL
from drill.rounds import Course, Plan
from drill.summary import Figures, Summary

HEADS = (
    "fault", "rounds", "calls", "200", "503", "no answer", "kept without a 200", "mails", "twice",
    "stale refused", "worst 503, s", "200 again, s", "mail again, s", "worst delay, s",
    "violations",
)  # fmt: skip
MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Report:
    """What was done, what was seen, and on what machine, by which command."""

    command: str
    machine: dict[str, str]
    plan: Plan
    course: Course
    summary: Summary
    violations: Sequence[Violation]

    @property
    def is_clean(self) -> bool:
        """Tell whether every promise held."""
        return not self.violations

    def table(self) -> Table:
        """Return a line for each fault, those that could not be run included, and one for all."""
        lines = [_line(name, its) for name, its in sorted(self.summary.faults.items())]
        lines += [
            [name, f"not run: {reason}", *[""] * (len(HEADS) - 2)]
            for name, reason in self.course.not_run.items()
        ]
        lines.append(_line("all rounds", self.summary.total))
        title = f"Drill on {self.plan.database}, seed {self.plan.seed}"
        return Table(title, HEADS, lines)

    def show(self, console: Console) -> None:
        """Print everything."""
        console.print(self.table().rich())
        for violation in self.violations[:MOST_SHOWN]:
            console.print(f"VIOLATION {violation.kind}: {violation.detail}", markup=False)
        if len(self.violations) > MOST_SHOWN:
            console.print(f"and {len(self.violations) - MOST_SHOWN} more")
        console.print(self.verdict())

    def verdict(self) -> str:
        """Return the outcome in one sentence."""
        settled = self.course.settled_seconds
        end = f"everything settled {settled:.1f} s after the last call" if settled else "unsettled"
        return (
            f"{len(self.violations) or 'no'} violations in {len(self.course.rounds)} rounds; {end}"
        )

    def markdown(self) -> str:
        """Return the block for a Markdown file."""
        facts = "; ".join(f"{name} {value}" for name, value in self.machine.items())
        parts = [
            f"Command: `{self.command}` (seed {self.plan.seed})",
            f"Run on: {facts}.",
            f"{self.plan.serves} `serve`, {self.plan.workers} `worker`, {self.plan.rate:g} calls"
            f" a second. Result: **{self.verdict()}**.",
            self.table().markdown(),
        ]
        return "\n\n".join(parts)

    def as_json(self) -> dict[str, Any]:
        """Return everything, for `json.dump`."""
        return {
            "ok": self.is_clean,
            "command": self.command,
            "machine": self.machine,
            "plan": asdict(self.plan),
            "rounds": [asdict(one) for one in self.course.rounds],
            "not_run": self.course.not_run,
            "settled_seconds": self.course.settled_seconds,
            "sights": self.course.sights,
            "faults": {
                name: {"what": ALL[name].what, **asdict(its)}
                for name, its in sorted(self.summary.faults.items())
            },
            "total": asdict(self.summary.total),
            "violations": [asdict(one) for one in self.violations],
        }


def _line(name: str, its: Figures) -> list[str]:
    counts = [its.rounds, its.calls, its.acknowledged, its.refused, its.unknown]
    counts += [its.unacknowledged, its.mails, its.duplicates, its.stale]
    worst = (its.worst_refusal, its.worst_back, its.worst_mail, its.worst_delay)
    words = [f"{one:,}" for one in counts] + [f"{one:.1f}" for one in worst]
    return [name, *words, str(its.violations)]
