"""What operators and load balancers watch: liveness, readiness, metrics.

A worker that runs alone has nothing else to be asked, and is asked only where it is told to be.
"""

import os
from collections.abc import Iterator

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from authreset.store.database import StoreUnavailable
from authreset.store.letters import count_by_state, oldest_waiting_at
from authreset.store.requests import count_waiting
from authreset.store.schema import schema_state
from authreset.store.workers import list_workers
from authreset.web.faults import NOT_FOUND
from authreset.web.parts import WebParts
from authreset.web.receiving import is_forwarded

MOST_COUNTED = 100_000
"""Where counting ends: a look at the metrics must not cost more the more there is to do."""


def routes(parts: WebParts) -> list[BaseRoute]:
    """Return the routes."""

    async def readyz(_request: Request) -> Response:
        problem = await _find_problem(parts)
        body = {"status": "not ready", "reason": problem} if problem else {"status": "ready"}
        return JSONResponse(body, 503 if problem else 200)

    async def metrics(request: Request) -> Response:
        _keep_inside(request)
        registry = CollectorRegistry()
        registry.register(Backlog(await _measure(parts)))
        return _expose(registry)

    return [Route("/healthz", _healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


def build_worker_app() -> Starlette:
    """Return what a worker answers where it has an address: that it lives, and what it counted."""

    async def metrics(request: Request) -> Response:
        _keep_inside(request)
        return _expose(CollectorRegistry())  # no gauges: the web processes tell them already

    app = Starlette(routes=[Route("/healthz", _healthz), Route("/metrics", metrics)])
    app.router.redirect_slashes = False  # it would build an address from the Host header
    return app


async def _healthz(_request: Request) -> Response:
    return JSONResponse({"status": "ok", "name": "authreset"})


def _keep_inside(request: Request) -> None:
    if is_forwarded(request):
        # How many were mailed, asked for before and after one request, tells who is known.
        raise HTTPException(NOT_FOUND.status)


def _expose(registry: CollectorRegistry) -> Response:
    shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if shared:
        MultiProcessCollector(registry, shared)  # type: ignore[no-untyped-call]  # ships no type
    text = generate_latest(registry) + (b"" if shared else generate_latest(REGISTRY))
    return Response(text, media_type=CONTENT_TYPE_LATEST)


class Backlog(Collector):
    """Gauges that are read from the database, the same whichever process is asked."""

    def __init__(self, values: dict[tuple[str, str], float]) -> None:
        self._values = values

    def collect(self) -> Iterator[Metric]:
        """Yield one gauge a name."""
        for name in dict.fromkeys(name for name, _ in self._values):
            gauge = GaugeMetricFamily(f"authreset_{name}", _HELP[name], labels=["state"])
            for (other, state), value in self._values.items():
                if other == name:
                    gauge.add_metric([state], value)
            yield gauge


_HELP = {
    "database_up": "Whether the database answered.",
    "requests_waiting": f"Requests that no worker has settled yet; {MOST_COUNTED} at most.",
    "oldest_request_seconds": "Age of the oldest of them.",
    "letters_waiting": f"Letters on their way, by state; {MOST_COUNTED} at most.",
    "oldest_letter_seconds": "Age of the oldest of them.",
    "workers_alive": "Workers that gave a sign of life within a minute.",
    "mail_server_reachable": "Whether every living worker reaches the mail server.",
}


async def _measure(parts: WebParts) -> dict[tuple[str, str], float]:
    now = parts.clock()
    try:
        async with parts.database.read() as tx:
            waiting, oldest_request = await count_waiting(tx, MOST_COUNTED)
            letters = await count_by_state(tx, MOST_COUNTED)
            oldest_letter = await oldest_waiting_at(tx)
            workers = await list_workers(tx)
    except StoreUnavailable:
        return {("database_up", ""): 0.0}
    alive = [one for one in workers if (now - one.seen_at).total_seconds() < 60]

    def age(of: object) -> float:
        return (now - of).total_seconds() if of is not None else 0.0  # type: ignore[operator]  # an instant

    return {
        ("database_up", ""): 1.0,
        ("requests_waiting", ""): waiting,
        ("oldest_request_seconds", ""): age(oldest_request),
        **{("letters_waiting", state): count for state, count in letters.items()},
        ("oldest_letter_seconds", ""): age(oldest_letter),
        ("workers_alive", ""): len(alive),
        ("mail_server_reachable", ""): float(all(w.mail_state == "reachable" for w in alive)),
    }


async def _find_problem(parts: WebParts) -> str:
    try:
        state = await schema_state(parts.database)
    except StoreUnavailable:
        return "the database cannot be reached"
    return "the database is behind this version: run authreset migrate" if state.is_behind else ""
