"""What a run needs around the rows: a directory on a real disk, the stores, the SMTP sink."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.cores import place
from bench.postgres import Cluster, postgres
from bench.processes import StartError
from bench.sink import Sink
from bench.slow_fsync import NoCompilerError, build_slow_fsync
from bench.stores import Store

TITLES = {
    "none": "none",
    "postgres": "PostgreSQL",
    "sqlite": "SQLite",
    "postgres-5ms": "PostgreSQL +5 ms",
}
DATABASES = [name for name in TITLES if name != "none"]


@dataclass
class Workshop:
    """The stores that could be had, why others could not, and the SMTP sink."""

    directory: Path
    sink: Sink
    stores: dict[str, Store] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


@contextmanager
def workshop(parent: Path, databases: Sequence[str]) -> Iterator[Workshop]:
    """Make everything in a directory below `parent` that is removed in the end."""
    directory = Path(tempfile.mkdtemp(prefix="authreset-bench-", dir=parent))
    directory.chmod(0o755)  # PostgreSQL's own user passes through it
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        made = Workshop(directory, stack.enter_context(Sink(place(1).load)))
        for name in ["none", *databases]:
            try:
                made.stores[name] = _store(name, directory, stack)
            except (StartError, NoCompilerError, OSError) as error:
                made.missing[name] = str(error)
        yield made


def _store(name: str, directory: Path, stack: ExitStack) -> Store:
    cluster: Cluster | None = None
    if name.startswith("postgres"):
        preload = build_slow_fsync() if name == "postgres-5ms" else None
        cluster = stack.enter_context(postgres(directory, name, preload))
    return Store(name, TITLES[name], directory / "stores", cluster)


def default_parent() -> Path:
    """Return a directory that lies on a disk on most systems (/tmp often lies in memory)."""
    lasting = Path("/var/tmp")
    return lasting if os.access(lasting, os.W_OK) else Path(tempfile.gettempdir())
