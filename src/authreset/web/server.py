"""The HTTP servers, of all and of a lone worker: uvicorn, set up once. Who runs one ends it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from authreset.web.app import build_app
from authreset.web.express import protocol_for
from authreset.web.health import build_worker_app
from authreset.web.intake import IntakeCalls
from authreset.web.journal import Journal
from authreset.web.parts import WebParts
from authreset.web.protocol import REQUEST_SECONDS, BoundedProtocol

GRACE_SECONDS = 10
KEEP_ALIVE_SECONDS = 75


class Server(uvicorn.Server):
    """Leaves signals to whoever runs it.

    uvicorn would raise a signal once more after it has stopped, which ends the process before
    anything that was opened around the server is closed.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    def stop(self) -> None:
        """Take no more calls, answer those under way, and end."""
        self.should_exit = True


def build_server(
    parts: WebParts,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    request_seconds: float = REQUEST_SECONDS,
    keep_alive_seconds: int = KEEP_ALIVE_SECONDS,
) -> Server:
    """Return a server of the whole application.

    A client has `request_seconds` to send a request. A connection on which none comes is closed
    after `keep_alive_seconds`, or half of the former later.
    """
    journal = Journal(monotonic)
    intake = IntakeCalls(parts, journal)
    app = build_app(parts, journal, intake)
    return _server(app, protocol_for(intake, request_seconds), keep_alive_seconds)


def build_worker_server() -> Server:
    """Return a server of what a worker tells of itself, and of nothing else."""
    return _server(build_worker_app(), BoundedProtocol)


def _server(
    app: ASGIApp, protocol: type[BoundedProtocol], keep_alive_seconds: int = KEEP_ALIVE_SECONDS
) -> Server:
    return Server(
        uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=keep_alive_seconds,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
