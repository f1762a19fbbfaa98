"""One run from a choice to a report, with its progress shown."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from bench.authreset import KNOWN_ONE_IN, Authreset
from bench.choices import Choice, rows
from bench.cores import place
from bench.load import ADDRESSES
from bench.machine import describe_machine
from bench.plan import cells
from bench.postgres import SETTINGS, Cluster
from bench.probe import Bench, run_probes
from bench.report import Report
from bench.run import Progress, run_rows
from bench.workshop import Workshop, workshop


def measure(choice: Choice, command: str, console: Console) -> Report:
    """Measure what was chosen; progress goes to the console."""
    with workshop(choice.directory, choice.databases) as shop:
        product = Authreset(shop.sink.port, choice.sizes.crowd)
        chosen = rows(choice.rows, product)
        plan = list(cells(chosen, choice.databases, choice.processes, choice.connections))
        stores = [store for name, store in shop.stores.items() if name in ("postgres", "sqlite")]
        probes = choice.probes()
        steps = choice.repeats * (len(plan) + len(probes) * len(stores))
        steps += len({(cell.row, cell.store) for cell in plan})
        with shown(console, steps) as progress:
            outcomes = run_rows(shop, chosen, plan, choice.effort, choice.repeats, progress)
            bench = Bench(product, shop.sink.accepted, choice.sizes)
            found = run_probes(bench, probes, stores, choice.repeats, progress)
        return Report(
            command=command,
            machine=describe_machine(shop.directory, first_cluster(shop)),
            notes=notes(choice),
            titles={row.letter: row.title for row in chosen},
            outcomes=outcomes,
            findings=found,
        )


def first_cluster(shop: Workshop) -> Cluster | None:
    """Return a running PostgreSQL, if there is one."""
    return next((store.cluster for store in shop.stores.values() if store.cluster), None)


@contextmanager
def shown(console: Console, steps: int) -> Iterator[Progress]:
    """Show steps as a bar on a terminal, as lines elsewhere."""
    if not console.is_terminal:
        yield lambda doing: console.print(doing, highlight=False)
        return
    columns = [BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    with Bar(*columns, TextColumn("{task.description}"), console=console) as bar:
        task = bar.add_task("starting", total=steps)
        done = iter(range(steps + 1))
        yield lambda doing: bar.update(task, description=doing, completed=next(done, steps))
        bar.update(task, description="done", completed=steps)


def notes(choice: Choice) -> list[str]:
    """Return how it was measured, in sentences."""
    settings = ", ".join(f"{name} = {value}" for name, value in SETTINGS.items())
    return [
        *placements(choice.processes),
        f"Medians of {choice.repeats} interleaved repeats, each {choice.effort.seconds:g} s after "
        f"{choice.effort.warmup:g} s of warm-up on a fresh copy of the database; percentiles of "
        "all samples.",
        f"The bodies carry {ADDRESSES:,} different addresses. For (a) one request in "
        f"{KNOWN_ONE_IN} is for a user, so that worker and mailer work while it is measured.",
        "(a) runs with its rate limits set too high to refuse and its mailbox limits off; (b) "
        "and (c) under uvicorn with uvloop and httptools; none writes an access log.",
        "Every commit is on disk: fsync and synchronous_commit on in PostgreSQL, WAL with "
        f"synchronous=FULL in SQLite. PostgreSQL otherwise as shipped but {settings}; every row "
        "reaches it over loopback TCP. In the +5 ms rows a preloaded library delays each fsync "
        "and fdatasync of PostgreSQL by 5 ms.",
        f"The intake's latency in the separate measurements is at {choice.sizes.rate:,.0f} "
        f"requests/s over {choice.sizes.connections} connections, all of authreset on one core.",
        "CPU and PG CPU: milliseconds of the service and of PostgreSQL per 1,000 requests (rows). "
        "RSS and PSS: MiB of all processes of the service at the end of the load.",
    ]


def placements(processes: Sequence[int]) -> list[str]:
    """Return which core ran what, in one sentence for each placement."""
    by_text: dict[str, list[str]] = {}
    for count in processes:
        by_text.setdefault(place(count).describe(), []).append(str(count))
    return [
        f"With {' or '.join(counts)} process{'es' * (counts != ['1'])}: {text}."
        for text, counts in by_text.items()
    ]
