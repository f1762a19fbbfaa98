"""The application on a real port, in this process: uvicorn with the protocol of the product."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from authreset.web.app import build_app
from authreset.web.intake import IntakeCalls
from authreset.web.journal import Journal
from authreset.web.parts import WebParts
from authreset.web.protocol import REQUEST_SECONDS, protocol_for


@asynccontextmanager
async def served(
    parts: WebParts, *, request_seconds: float = REQUEST_SECONDS
) -> AsyncIterator[int]:
    """Serve as a web process does, and yield the port."""
    journal = Journal(lambda: parts.clock().timestamp())
    intake = IntakeCalls(parts, journal)
    config = uvicorn.Config(
        build_app(parts, journal, intake),
        http=protocol_for(intake, request_seconds),
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    listener = socket.create_server(("127.0.0.1", 0))
    await server.startup(sockets=[listener])
    try:
        yield int(listener.getsockname()[1])
    finally:
        await server.shutdown(sockets=[listener])
        listener.close()
