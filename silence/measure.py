"""One run from a choice to a report, with its progress shown."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.machine import describe_machine
from bench.processes import StartError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from silence.choices import Choice
from silence.findings import Finding
from silence.report import Report, Run, notes
from silence.series import run_series
from silence.service import DATABASES, cabin, one_core

DRAW_SECONDS = 1.0


def measure(
    choice: Choice,
    directory: Path,
    command: str,
    console: Console,
    keep: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Measure what was chosen, in an empty directory; progress goes to the console.

    What cannot be started is told in the report, beside what was measured before it. `keep` gets
    the report after each series, so that a run of hours that is ended early was not for nothing.
    """
    run = Run(command, {}, notes(choice.seed, one_core()))
    report = Report([run], [], {})
    with shown(console) as display:
        for database in choice.databases:
            home = directory / database
            home.mkdir(mode=0o755)
            display.say(f"{DATABASES[database]}: preparing")
            try:
                for finding in _measure_on(database, home, choice, run, display):
                    report.findings.append(finding)
                    keep(report)
            except StartError as error:
                report.failures[database] = str(error)
    return report


def _measure_on(
    database: str, home: Path, choice: Choice, run: Run, display: "Display"
) -> Iterator[Finding]:
    with cabin(home, database) as made:
        facts = describe_machine(home, made.cluster)
        # Those of the first database: SQLite's turn does not know the version of PostgreSQL.
        run.machine.update(run.machine or facts)
        progress = partial(display.update, database)
        yield from run_series(made, database, choice.plan(), progress)


class Display:
    """Bars that are drawn between requests, for a thread that draws would disturb the times."""

    def __init__(self, console: Console, bar: Bar) -> None:
        self._console = console
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}
        self._drawn_at = 0.0

    def say(self, doing: str) -> None:
        """Print one line."""
        self._console.print(doing, highlight=False)

    def update(self, database: str, series: str, done: int, whole: int) -> None:
        """Note how many requests of each class are done; drawn at most once a second."""
        name = f"{DATABASES[database]}: {series}"
        if name not in self._tasks:
            if not self._console.is_terminal:
                self.say(name)
            self._tasks[name] = self._bar.add_task(name, total=whole)
        now = time.monotonic()
        if self._console.is_terminal and (done == whole or now - self._drawn_at > DRAW_SECONDS):
            self._drawn_at = now
            self._bar.update(self._tasks[name], completed=done)
            self._bar.refresh()


@contextmanager
def shown(console: Console) -> Iterator[Display]:
    """Show progress as bars on a terminal, as lines elsewhere."""
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    with Bar(
        *columns,
        TimeElapsedColumn(),
        console=console,
        auto_refresh=False,
        disable=not console.is_terminal,
    ) as bar:
        yield Display(console, bar)
