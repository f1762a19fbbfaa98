"""The application on a real port, in this process: the server of the product."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from authreset.web.parts import WebParts
from authreset.web.protocol import REQUEST_SECONDS
from authreset.web.server import KEEP_ALIVE_SECONDS, build_server


@asynccontextmanager
async def served(
    parts: WebParts,
    *,
    request_seconds: float = REQUEST_SECONDS,
    keep_alive_seconds: int = KEEP_ALIVE_SECONDS,
) -> AsyncIterator[int]:
    """Serve as a web process does, and yield the port."""
    server = build_server(
        parts,
        monotonic=lambda: parts.clock().timestamp(),
        request_seconds=request_seconds,
        keep_alive_seconds=keep_alive_seconds,
    )
    server.config.timeout_graceful_shutdown = 1
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    listener = socket.create_server(("127.0.0.1", 0))
    await server.startup(sockets=[listener])
    try:
        yield int(listener.getsockname()[1])
    finally:
        await server.shutdown(sockets=[listener])
        listener.close()
