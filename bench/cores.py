"""Which core runs what. Every other module asks here, so that all rows are placed alike."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Placement:
    """Cores of the servers under test and of the load generator.

    PostgreSQL is pinned nowhere: it may use every core, whichever row talks to it.
    """

    servers: tuple[int, ...]
    load: int

    def describe(self) -> str:
        """Say in one sentence what runs where."""
        servers = ", ".join(map(str, self.servers))
        return (
            f"all processes of the service under test on core {servers}, the load generator, "
            f"pgbench and the SMTP sink on core {self.load}, PostgreSQL unpinned (any core)"
        )


def place(processes: int, cores: list[int] | None = None) -> Placement:
    """Return the placement for a service of so many processes on these (default: our) cores.

    The last core belongs to the load generator; the service gets as many of the others as it has
    processes. A machine with two cores therefore runs two processes on one core.
    """
    usable = sorted(os.sched_getaffinity(0)) if cores is None else cores
    others = usable[:-1] or usable
    return Placement(servers=tuple(others[:processes]), load=usable[-1])
