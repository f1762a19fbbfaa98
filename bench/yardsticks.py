"""The two services that authreset is compared with: the conventional one and the ceiling.

Both run under uvicorn as authreset does: uvloop, httptools, no access log.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bench.conventional.prepare import prepare
from bench.cores import Placement
from bench.load import nobodies, reset_requests
from bench.processes import free_port, running, wait_ready
from bench.rows import Service
from bench.stores import Place

TOKEN = "o.bench-0123456789abcdefghijklmnopqrstuvwxyzABCDEF"
ENTRY = "bench"


@contextmanager
def uvicorn(
    place: Place, placement: Placement, processes: int, env: Mapping[str, str], *arguments: str
) -> Iterator[Service]:
    """Run uvicorn with an application; the place keeps its log."""
    port, log = free_port(), place.directory / "uvicorn.log"
    command = [sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    command += ["--log-level", "warning", "--workers", str(processes), *arguments]
    with running(command, placement.servers, env, log) as pid:
        wait_ready(f"http://127.0.0.1:{port}/healthz", pid, log)
        yield Service(pid, port, reset_requests(TOKEN, ENTRY, nobodies()))


class Conventional:
    """FastAPI, SQLAlchemy ORM sessions, one INSERT and one commit a request."""

    name = "conventional"

    def prepare(self, place: Place) -> None:
        """Make the tables and the token."""
        prepare(self._url(place), TOKEN)

    @contextmanager
    def serve(self, place: Place, placement: Placement, processes: int) -> Iterator[Service]:
        """Serve under uvicorn."""
        env = {"CONVENTIONAL_URL": self._url(place)}
        arguments = ("--factory", "bench.conventional.app:make_app")
        with uvicorn(place, placement, processes, env, *arguments) as service:
            yield service

    @staticmethod
    def _url(place: Place) -> str:
        if place.url is None:
            return f"sqlite+aiosqlite:///{place.directory / 'conventional.db'}"
        return place.url.replace("postgresql:", "postgresql+asyncpg:", 1)


class Ceiling:
    """A plain ASGI application that answers the same bytes and does nothing else."""

    name = "ceiling"

    def prepare(self, place: Place) -> None:
        """Need nothing."""

    @contextmanager
    def serve(self, place: Place, placement: Placement, processes: int) -> Iterator[Service]:
        """Serve under uvicorn."""
        arguments = ("--lifespan", "off", "bench.ceiling:app")
        with uvicorn(place, placement, processes, {}, *arguments) as service:
            yield service
