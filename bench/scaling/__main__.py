"""The command line: which parts, how much of everything, and where the result goes."""

import asyncio
import json
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bench.choices import counts, words
from bench.machine import describe_machine
from bench.marked import Block, MissingMarksError
from bench.postgres import SETTINGS, Cluster, postgres
from bench.scaling.parts import PARTS, QUICK, Result, Sizes
from bench.scaling.stage import stage
from bench.tables import Table
from bench.workshop import default_parent

EXAMPLES = """Measure how the cost of authreset's statements grows with the database (PostgreSQL).

Parts: users (look-ups, a whole batch, the token), tenants and backlog (claim, lease, append,
metrics, trace), snapshot (claims while a transaction stays open), disk (bytes a row). Each fills
databases of a throw-away PostgreSQL, takes turns at all sizes, and shows medians in milliseconds.

Examples:

\b
  python -m bench.scaling --quick                             the shape of it, in a minute or two
  python -m bench.scaling --parts users --rows 10000,1000000
  python -m bench.scaling --parts backlog,tenants --write docs/scaling.md
  python -m bench.scaling --json scaling.json                 everything; 10 million users take time

--write replaces the block of each part that was measured; the others stay as they are."""

BLOCKS = {name: Block(f"scaling {name}", "bench.scaling --write") for name in PARTS}
FILE_WIDTH = 140
"""Columns of the tables when they go into a file or a pipe."""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=EXAMPLES)
def main(
    parts: Annotated[str, typer.Option(help="Of " + ",".join(PARTS) + ".")] = ",".join(PARTS),
    rows: Annotated[str, typer.Option(help="Users; default 10000,1000000,10000000.")] = "",
    tenants: Annotated[str, typer.Option(help="Tenants; default 1,100,10000.")] = "",
    backlog: Annotated[str, typer.Option(help="Waiting; default 1000,100000,1000000.")] = "",
    rounds: Annotated[int | None, typer.Option(help="Repeats; default 15, quick 5.", min=1)] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller sizes, fewer rounds.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every sample there.", dir_okay=False)
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Replace the marked blocks of this Markdown file.")
    ] = None,
    directory: Annotated[
        Path | None, typer.Option(help="Where the database lies; default /var/tmp.", exists=True)
    ] = None,
) -> None:
    """Measure what was chosen."""
    try:
        chosen = words(parts, list(PARTS), "--parts")
        sizes = _sizes(QUICK if quick else Sizes(), rows, tenants, backlog, rounds)
        if write is not None:
            for name in chosen:
                BLOCKS[name].check(write)
    except (ValueError, OSError, MissingMarksError) as error:
        raise typer.BadParameter(str(error)) from None
    with cluster(directory or default_parent()) as (home, running), stage(_progress()) as shown:
        machine = describe_machine(home, running)
        results = {name: asyncio.run(PARTS[name](running, sizes, shown)) for name in chosen}
    facts = [f"Command: `{_command()}`.", _measured_on(machine)]
    publish(results, facts, write)
    if json_file is not None:
        found = {name: result.figures for name, result in results.items()}
        report = {"command": _command(), "machine": machine, "parts": found}
        json_file.write_text(json.dumps(report, indent=2) + "\n", "utf-8")


def _sizes(chosen: Sizes, rows: str, tenants: str, backlog: str, rounds: int | None) -> Sizes:
    given = {"rows": rows, "tenants": tenants, "backlog": backlog}
    lists: dict[str, Any] = {
        name: sorted(counts(text, f"--{name}")) for name, text in given.items() if text
    }
    return replace(chosen, **lists, rounds=rounds or chosen.rounds)


@contextmanager
def cluster(parent: Path) -> Iterator[tuple[Path, Cluster]]:
    """Run a throw-away PostgreSQL in a directory below `parent` that is removed in the end."""
    directory = Path(tempfile.mkdtemp(prefix="authreset-scaling-", dir=parent))
    directory.chmod(0o755)  # PostgreSQL's own user passes through it
    try:
        with postgres(directory, "postgres") as running:
            yield directory, running
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def publish(results: dict[str, Result], facts: list[str], write: Path | None) -> None:
    """Print the tables, and write each part's block."""
    console = Console()
    console = console if console.is_terminal else Console(width=FILE_WIDTH)
    for name, result in results.items():
        for table in result.tables:
            console.print(table.rich())
        if write is not None:
            BLOCKS[name].write(write, "\n\n".join([*map(_markdown, result.tables), *facts]))
    for fact in facts:
        console.print(fact, highlight=False)


def _markdown(table: Table) -> str:
    return f"**{table.title}**\n\n{table.markdown()}"


def _command() -> str:
    return shlex.join(["python", "-m", "bench.scaling", *sys.argv[1:]])


def _measured_on(machine: dict[str, str]) -> str:
    used = ["date", "commit", "processor", "memory", "disk", "system", "Python", "PostgreSQL"]
    used += ["sqlalchemy", "asyncpg"]
    settings = ", ".join(f"{name} = {value}" for name, value in SETTINGS.items())
    facts = "; ".join(f"{name} {machine[name]}" for name in used)
    return f"Measured on: {facts}; PostgreSQL as shipped but {settings}."


def _progress() -> Console:
    return Console(stderr=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the server ends with us, not after us
    app(prog_name="python -m bench.scaling")
