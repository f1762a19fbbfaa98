"""The command line: what to break, how often, and where the result goes."""

import json
import random
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from bench.marked import Block, MissingMarksError
from rich.console import Console
from rich.progress import Progress

from drill.backlog import BacklogReport, share_backlog
from drill.faults import ALL
from drill.place import CannotDrill
from drill.report import Report
from drill.rounds import Plan, Say
from drill.run import drill

EXAMPLES = """Break authreset under load on purpose, then audit what it promised.

Starts a database, several `serve` and `worker` processes and a mail server; callers never rest
while processes are killed and connections are cut, one or two faults a round. Then every call,
every mail and every row must agree.

Examples:

\b
  python -m drill                                      24 rounds on PostgreSQL, a few minutes
  python -m drill --rounds 50 --seed 7 --write docs/reliability.md
  python -m drill --database sqlite --rounds 12
  python -m drill --only postgres-crashed --only worker-killed --rounds 4 --json
  python -m drill --only smtp-stopped --rounds 1 --outage 40 --watch
  python -m drill faults                               what can be broken
  python -m drill backlog                              how fast workers share a backlog

The exit status is 1 if a promise was broken, 2 if the drill could not begin."""

BLOCKS = {name: Block(name, "drill") for name in ("drill-postgres", "drill-sqlite", "backlog")}
WIDTH = 180
"""Columns of the table when it goes into a file or a pipe."""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True, help=EXAMPLES)
def main(
    context: typer.Context,
    rounds: Annotated[int, typer.Option(min=1, help="How many.")] = 24,
    seed: Annotated[
        int | None, typer.Option(help="Repeats the choices of a run; default: a fresh one.")
    ] = None,
    database: Annotated[str, typer.Option(help="postgres or sqlite.")] = "postgres",
    serves: Annotated[
        int | None, typer.Option(min=1, help="`serve` programs; default 2, and 1 on SQLite.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="`worker` programs.")] = 3,
    rate: Annotated[float, typer.Option(min=1, help="Calls a second.")] = 40.0,
    only: Annotated[list[str] | None, typer.Option(help="A fault; repeatable.")] = None,
    outage: Annotated[
        float | None, typer.Option(min=0.5, help="Seconds of an outage; default 1.5 to 3.5.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Note what operators see in each outage (JSON).")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the directory with the logs and the data.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    write: Annotated[
        Path | None, typer.Option(help="Replace the marked block of this Markdown file.")
    ] = None,
) -> None:
    """Run a drill, unless a subcommand is named."""
    if context.invoked_subcommand is not None:
        return
    plan = Plan(
        rounds=rounds,
        seed=random.SystemRandom().randrange(10**6) if seed is None else seed,
        database=_one_of(database, ["postgres", "sqlite"], "--database"),
        serves=serves or (2 if database == "postgres" else 1),
        workers=workers,
        rate=rate,
        only=tuple(_one_of(name, list(ALL), "--only") for name in only or ()),
        outage=(1.5, 3.5) if outage is None else (outage, outage),
        is_kept=keep,
    )
    report = _attempt(plan, write, is_watched=watch)
    _publish(report, _block(plan), write, as_json=as_json)


@app.command("faults")
def list_faults() -> None:
    """List what can be broken."""
    for fault in ALL.values():
        typer.echo(f"{fault.name:22} {fault.what} ({', '.join(sorted(fault.databases))})")


@app.command("backlog")
def backlog(
    requests: Annotated[int, typer.Option(min=10, help="How many wait.")] = 100_000,
    serves: Annotated[int, typer.Option(min=1, help="`serve` programs.")] = 2,
    workers: Annotated[str, typer.Option(help="Numbers of workers to compare.")] = "1,3",
    solo: Annotated[
        int, typer.Option(min=10, help="A single worker is stopped after so many letters.")
    ] = 20_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    write: Annotated[
        Path | None, typer.Option(help="Replace the marked block of this Markdown file.")
    ] = None,
) -> None:
    """Let workers share a backlog, on PostgreSQL, with a fast mail server."""
    counts = [int(word) for word in workers.split(",")]
    with _told():
        if write is not None:
            BLOCKS["backlog"].check(write)
        report = share_backlog(requests, serves, counts, solo, _command(), bar)
    _publish(report, "backlog", write, as_json=as_json)


@contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far a step is, on standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(f"{title}: {total:,}")
        yield lambda _more: None
        return
    with Progress(console=console) as progress:
        task = progress.add_task(title, total=total)
        yield lambda more: progress.advance(task, more)


def _attempt(plan: Plan, write: Path | None, *, is_watched: bool) -> Report:
    with _told():
        if write is not None:
            BLOCKS[_block(plan)].check(write)
        return drill(plan, _command(), progress(), is_watched=is_watched)


@contextmanager
def _told() -> Iterator[None]:
    """Tell what keeps a drill from beginning, and end with status 2."""
    try:
        yield
    except (CannotDrill, MissingMarksError, OSError) as fault:
        typer.echo(f"the drill could not begin: {fault}", err=True)
        raise typer.Exit(2) from None


def _command() -> str:
    return shlex.join(["python", "-m", "drill", *sys.argv[1:]])


def _publish(
    report: Report | BacklogReport, block: str, write: Path | None, *, as_json: bool
) -> NoReturn:
    """Print a report, write it where that was asked for, and end."""
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        console = Console()
        report.show(console if console.is_terminal else Console(width=WIDTH))
    if write is not None:
        BLOCKS[block].write(write, report.markdown())
    raise typer.Exit(0 if report.is_clean else 1)


def _block(plan: Plan) -> str:
    return f"drill-{plan.database}"


def progress() -> Say:
    """Return what tells how far a run is, on standard error: lines, or one line in a terminal."""
    begun, is_terminal, last = time.monotonic(), sys.stderr.isatty(), [""]

    def say(text: str) -> None:
        if text == last[0]:
            return
        last[0] = text
        end = "" if is_terminal else "\n"
        begin = "\r\033[K" if is_terminal else ""
        sys.stderr.write(f"{begin}{time.monotonic() - begun:6.1f} s  {text}{end}")
        sys.stderr.flush()

    return say


def _one_of(word: str, known: list[str], option: str) -> Any:
    if word not in known:
        raise typer.BadParameter(f"{option}: {word!r} is none of {', '.join(known)}")
    return word


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # programs end with us, not after us
    app(prog_name="python -m drill")
