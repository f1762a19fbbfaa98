"""What a row of the table is: a subject on a store under a load, and the figures that come of it.

The subjects themselves live in modules of their own.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from bench.cores import Placement, place
from bench.load import LoadSpec, generate
from bench.processes import cpu_seconds, memory
from bench.stores import Place, Store


@dataclass(frozen=True, slots=True)
class Cell:
    """One line of the table: which row, on which store, processes and connections."""

    row: str
    store: str
    processes: int
    connections: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What one measurement of a cell saw; None where the row has no such figure.

    `cpu_ms` and `database_cpu_ms` are processor milliseconds per 1,000 requests of the service
    and of PostgreSQL; `rss_mib` and `pss_mib` are the service's memory at the end of the load.
    """

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float | None = None
    database_cpu_ms: float | None = None
    rss_mib: float | None = None
    pss_mib: float | None = None
    generator_busy: float | None = None
    not_200: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Effort:
    """How long one measurement lasts, in seconds."""

    seconds: float
    warmup: float = 1.0


class Row(Protocol):
    """A row of the table; `stores` names the kinds of stores it can be measured on."""

    letter: str
    title: str
    stores: frozenset[str]

    def can_multiply(self, store: str) -> bool:
        """Tell whether it can use several processes on this kind of store."""

    def prepare(self, store: Store) -> None:
        """Make the template that every measurement on this store starts from."""

    def measure(self, store: Store, cell: Cell, effort: Effort) -> Figures:
        """Measure once, from a fresh copy of the template."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: the root of its processes, its port, the requests to send to it."""

    pid: int
    port: int
    requests: list[str]


class Subject(Protocol):
    """A program that serves the call over HTTP."""

    name: str

    def prepare(self, place: Place) -> None:
        """Fill an empty place."""

    def serve(
        self, place: Place, placement: Placement, processes: int
    ) -> AbstractContextManager[Service]:
        """Run on a prepared place; ready when entered, ended when left."""


@dataclass
class HttpRow:
    """A row whose subject is a program that serves the call over HTTP."""

    letter: str
    title: str
    stores: frozenset[str]
    subject: Subject
    single: frozenset[str] = frozenset()
    """Stores on which the subject offers one process only."""

    def can_multiply(self, store: str) -> bool:
        """Tell whether the subject offers several processes."""
        return store not in self.single

    def prepare(self, store: Store) -> None:
        """Prepare the subject's template on this store."""
        self.subject.prepare(store.template(self.subject.name))

    def measure(self, store: Store, cell: Cell, effort: Effort) -> Figures:
        """Start the subject, load it, end it."""
        placement, fresh = place(cell.processes), store.fresh(self.subject.name)
        with self.subject.serve(fresh, placement, cell.processes) as service:
            watch = Watch(service.pid, store)
            spec = LoadSpec(
                service.port, service.requests, cell.connections, effort.seconds, effort.warmup
            )
            seen = generate(spec, placement.load, watch.at_edge).required()
            memory_now = memory(service.pid)
        return Figures(
            per_second=seen.per_second,
            p50_ms=seen.p50_ms,
            p99_ms=seen.p99_ms,
            cpu_ms=watch.service_ms(seen.per_second * effort.seconds),
            database_cpu_ms=watch.database_ms(seen.per_second * effort.seconds),
            rss_mib=memory_now.rss,
            pss_mib=memory_now.pss,
            generator_busy=seen.generator_busy,
            not_200=seen.not_200,
        )


class Watch:
    """Processor time that a service and its database used between two edges of a window."""

    def __init__(self, pid: int | None, store: Store) -> None:
        self._pid = pid
        self._cluster = store.cluster
        self.service = self.database = 0.0

    def at_edge(self, edge: str) -> None:
        """Take the clocks at `begin`, and the differences at `end`."""
        sign = -1 if edge == "begin" else 1
        if self._pid is not None:
            self.service += sign * cpu_seconds(self._pid)
        if self._cluster is not None:
            self.database += sign * cpu_seconds(self._cluster.pid)

    def service_ms(self, requests: float) -> float | None:
        """Return the service's processor milliseconds per 1,000 requests."""
        return self.service / requests * 1e6 if requests else None

    def database_ms(self, requests: float) -> float | None:
        """Return PostgreSQL's processor milliseconds per 1,000 requests, None on SQLite."""
        return self.database / requests * 1e6 if requests and self._cluster else None
