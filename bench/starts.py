"""Separate measurements: how long authreset takes to start, and its memory at rest."""

import time
from collections.abc import Iterator

from bench.cores import place
from bench.probe import Bench, Finding
from bench.processes import memory
from bench.stores import Store

REST_SECONDS = 3.0


def start_up(bench: Bench, store: Store) -> Iterator[Finding]:
    """Time `authreset serve` up to its first 200, then look at its memory after a rest."""
    fresh = store.fresh(bench.product.name)
    begun = time.monotonic()
    with bench.product.serve_only(fresh, place(1), 1) as service:
        taken = time.monotonic() - begun
        time.sleep(REST_SECONDS)
        resting = memory(service.pid)
    yield Finding("start-up to the first answer of /healthz", store.name, "s", taken)
    yield Finding("memory at rest, RSS of all processes", store.name, "MiB", resting.rss)
    yield Finding("memory at rest, PSS of all processes", store.name, "MiB", resting.pss)
