"""Row (d): single-row commits of PostgreSQL's own load generator, `pgbench`."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.cores import place
from bench.figures import percentile
from bench.postgres import Cluster
from bench.processes import StartError, pinned
from bench.rows import Cell, Effort, Figures, Watch
from bench.stores import Place, Store

TABLE = """CREATE TABLE reset_requests (
    id uuid PRIMARY KEY, token_id uuid NOT NULL, email varchar(320), entry varchar,
    entry_type integer, client_address varchar, received_at timestamptz NOT NULL)"""
SCRIPT = """\\set person random(1, 1000)
INSERT INTO reset_requests VALUES (gen_random_uuid(), '9f1c1c5e-5f0e-4f6e-8d0a-0d6d6f1f2a3b',
    'person' || :person || '@bench.example', 'bench', 0, '127.0.0.1', now());
"""


@dataclass
class PgbenchRow:
    """One row a transaction, as many clients as the other rows have connections."""

    letter: str = "d"
    title: str = "pgbench"
    stores: frozenset[str] = frozenset({"postgres", "postgres-5ms"})

    def can_multiply(self, store: str) -> bool:
        """Count clients only."""
        return False

    def prepare(self, store: Store) -> None:
        """Make a table like the one of the conventional service."""
        template = store.template("pgbench")
        _cluster(store).value(TABLE, "pgbench_template")
        (template.directory / "script.sql").write_text(SCRIPT)

    def measure(self, store: Store, cell: Cell, effort: Effort) -> Figures:
        """Run pgbench on a fresh copy of the table."""
        cluster, fresh, core = _cluster(store), store.fresh("pgbench"), place(1).load
        _run(cluster, fresh, core, cell.connections, max(1, round(effort.warmup)))
        watch = Watch(None, store)
        watch.at_edge("begin")
        output = _run(cluster, fresh, core, cell.connections, max(1, round(effort.seconds)))
        watch.at_edge("end")
        ordered = sorted(latencies(fresh.directory))
        if not ordered:
            raise StartError("pgbench committed nothing")
        return Figures(
            per_second=transactions_per_second(output),
            p50_ms=percentile(ordered, 0.50),
            p99_ms=percentile(ordered, 0.99),
            database_cpu_ms=watch.database_ms(len(ordered)),
        )


def _cluster(store: Store) -> Cluster:
    if store.cluster is None:
        raise ValueError("pgbench needs PostgreSQL")
    return store.cluster


def _run(cluster: Cluster, place: Place, core: int, clients: int, seconds: int) -> str:
    """Run pgbench with a log of every transaction and return what it prints."""
    for log in place.directory.glob("transactions.*"):
        log.unlink()
    command = [str(program(cluster.programs)), "-n", "-M", "prepared", "-f", "script.sql"]
    command += ["-c", str(clients), "-j", "1", "-T", str(seconds)]
    command += ["-l", "--log-prefix=transactions", "-h", "127.0.0.1", "-p", str(cluster.port)]
    done = subprocess.run(
        pinned([core], [*command, "-U", "postgres", "pgbench_run"]),
        cwd=place.directory,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise StartError(f"pgbench failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def program(programs: Path) -> Path:
    """Return pgbench: the one beside the server, or else the system's."""
    beside = programs / "pgbench"
    found = beside if beside.exists() else shutil.which("pgbench")
    if found is None:
        raise StartError("no pgbench on this machine")
    return Path(found)


def transactions_per_second(output: str) -> float:
    """Return the rate that pgbench prints, without the time of connecting."""
    found = re.search(r"^tps = ([0-9.]+) \(without initial connection time\)", output, re.MULTILINE)
    if found is None:
        raise ValueError(f"no rate in pgbench's output: {output[-300:]}")
    return float(found[1])


def latencies(directory: Path) -> list[float]:
    """Return the milliseconds of every transaction in pgbench's logs."""
    found: list[float] = []
    for log in directory.glob("transactions.*"):
        with log.open() as lines:
            found.extend(int(line.split(" ", 3)[2]) / 1000 for line in lines)
    return found
