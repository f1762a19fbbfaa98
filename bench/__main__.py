"""The command line: what to measure, how long, and where the result goes."""

import json
import shlex
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import choices
from bench.choices import Choice
from bench.marked import Block, MissingMarksError
from bench.measure import measure
from bench.report import Report
from bench.rows import Effort
from bench.workshop import DATABASES, default_parent

EXAMPLES = """Measure authreset against its yardsticks on this machine.

Rows: (a) authreset as shipped, (b) the conventional service, (c) the ceiling of the HTTP server,
(d) single-row commits of pgbench. Every measurement starts afresh; the repeats are interleaved;
the tables show medians.

Examples:

\b
  python -m bench                                   everything (about an hour)
  python -m bench --quick                           the shape of it, in a few minutes
  python -m bench --rows a,c --databases sqlite --connections 64 --separate none
  python -m bench --rows none --separate tails      only the intake's tails
  python -m bench --json bench.json --write docs/performance.md

The exit status is 1 if something chosen could not be measured; the table says why."""

BLOCK = Block("bench", "bench --write")
FILE_WIDTH = 140
"""Columns of the tables when they go into a file or a pipe."""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=EXAMPLES)
def main(
    rows: Annotated[str, typer.Option(help="Rows: a,b,c,d or none.")] = "a,b,c,d",
    databases: Annotated[str, typer.Option(help="Of " + ",".join(DATABASES) + ".")] = ",".join(
        DATABASES
    ),
    connections: Annotated[str, typer.Option(help="Default 1,16,64,256; quick 1,64.")] = "",
    processes: Annotated[str, typer.Option(help="Default 1,2; quick 1.")] = "",
    separate: Annotated[
        str, typer.Option(help="Separate measurements: starts,deliveries,tails or none.")
    ] = "starts,deliveries,tails",
    seconds: Annotated[float | None, typer.Option(help="Of one window; default 5.", min=1)] = None,
    repeats: Annotated[int | None, typer.Option(help="Default 3; quick 1.", min=1)] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer, shorter measurements.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every repeat there.", dir_okay=False)
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
            rows=choices.words(rows, choices.ROWS, "--rows"),
            databases=choices.words(databases, DATABASES, "--databases"),
            connections=choices.counts(connections or _connections(quick), "--connections"),
            processes=choices.counts(processes or ("1" if quick else "1,2"), "--processes"),
            separate=choices.words(separate, list(choices.PROBES), "--separate"),
            effort=Effort(seconds or (2 if quick else 5)),
            sizes=choices.sizes(quick, seconds),
            repeats=repeats or (1 if quick else 3),
            directory=directory or default_parent(),
        )
    except (ValueError, OSError, MissingMarksError) as error:
        raise typer.BadParameter(str(error)) from None
    command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
    report = measure(choice, command, Console(stderr=True))
    publish(report, json_file, write)
    if not report.complete():
        raise typer.Exit(1)


def publish(report: Report, json_file: Path | None, write: Path | None) -> None:
    """Print the tables and write the files that were asked for."""
    console = Console()
    report.show(console if console.is_terminal else Console(width=FILE_WIDTH))
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(), indent=2) + "\n", "utf-8")
    if write is not None:
        BLOCK.write(write, report.markdown())


def _connections(quick: bool) -> str:
    return ",".join(map(str, choices.QUICK_CONNECTIONS if quick else choices.CONNECTIONS))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers end with us, not after us
    app(prog_name="python -m bench")
