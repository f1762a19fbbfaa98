"""The command line: what to measure, how thoroughly, and where the result goes."""

import json
import os
import shlex
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from bench.marked import MissingMarksError
from bench.workshop import default_parent
from rich.console import Console

from silence import choices
from silence.choices import Choice
from silence.measure import measure
from silence.report import BLOCK, Report
from silence.service import DATABASES

EXAMPLES = """Measure what a caller can learn from answers and their timing.

Series: reset (the call, and the request that follows it), later (the call on an idle service, and
what sixteen requests after it take), forgot (the page), login (the log-in, refused), outage (the
call while the mail server is down, and while it hangs).

Examples:

\b
  python -m silence                                    everything (two hours and more)
  python -m silence --quick                            a bound for CI, in about a minute a database
  python -m silence --minutes 5                        as much as fits into 5 minutes a database
  python -m silence --database sqlite --series reset --classes active,unknown --requests 5000
  python -m silence --json silence.json --write docs/silence.md
  python -m silence.together postgres.json sqlite.json --write docs/silence.md

The exit status is 1 if classes can be told apart, or the control's millisecond was not found."""

FILE_WIDTH = 160
"""Columns of the tables when they go into a file or a pipe."""

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(help=EXAMPLES)
def main(
    database: Annotated[str, typer.Option(help="Of " + ",".join(DATABASES) + ".")] = ",".join(
        DATABASES
    ),
    series: Annotated[str, typer.Option(help="Of " + ",".join(choices.SERIES) + ".")] = ",".join(
        choices.SERIES
    ),
    classes: Annotated[str, typer.Option(help="Default: all; quick: a few that matter.")] = "",
    requests: Annotated[
        int,
        typer.Option(
            help="A class of the call; forgot takes 1/5, later 1/25, login 1/50.", min=100
        ),
    ] = choices.REQUESTS,
    minutes: Annotated[
        float | None, typer.Option(help="Measure so long at most, a database.", min=0.1)
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Some seconds a series.")] = False,
    seed: Annotated[int, typer.Option(help="Of the order of asking.")] = 20261123,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every pair there.", dir_okay=False)
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Replace the marked block of this Markdown file.")
    ] = None,
    directory: Annotated[
        Path | None, typer.Option(help="Where the databases lie; default /var/tmp.", exists=True)
    ] = None,
) -> None:
    """Measure what was chosen."""
    try:
        if write is not None:
            BLOCK.check(write)
        choice = Choice(
            databases=choices.words(database, DATABASES, "--database"),
            series=choices.words(series, choices.SERIES, "--series"),
            kinds=choices.kinds(classes, quick),
            requests=requests,
            minutes=minutes,
            quick=quick,
            seed=seed,
        )
    except (ValueError, OSError, MissingMarksError) as error:
        raise typer.BadParameter(str(error)) from None
    command = shlex.join(["python", "-m", "silence", *sys.argv[1:]])
    with tempfile.TemporaryDirectory(
        prefix="authreset-silence-", dir=directory or default_parent(), ignore_cleanup_errors=True
    ) as made:
        os.chmod(made, 0o755)  # PostgreSQL's own user passes through it
        keep = partial(keep_in, json_file, write)
        report = measure(choice, Path(made), command, Console(stderr=True), keep)
    console = Console()
    report.show(console if console.is_terminal else Console(width=FILE_WIDTH))
    keep(report)
    if not report.is_well():
        raise typer.Exit(1)


def keep_in(json_file: Path | None, write: Path | None, report: Report) -> None:
    """Write the files that were asked for."""
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(), indent=2) + "\n", "utf-8")
    if write is not None:
        BLOCK.write(write, report.markdown())


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers end with us, not after us
    app(prog_name="python -m silence")
