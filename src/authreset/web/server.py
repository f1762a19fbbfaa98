"""The HTTP server around the application: uvicorn, set up once. Who runs it says when it ends."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from authreset.web.app import build_app
from authreset.web.intake import IntakeCalls
from authreset.web.journal import Journal
from authreset.web.parts import WebParts
from authreset.web.protocol import REQUEST_SECONDS, protocol_for

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
) -> Server:
    """Return a server of the whole application. A client has so long to send a request."""
    journal = Journal(monotonic)
    intake = IntakeCalls(parts, journal)
    return Server(
        uvicorn.Config(
            build_app(parts, journal, intake),
            http=protocol_for(intake, request_seconds),
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
