"""A PostgreSQL server that takes a client in and sends it away with the next breath.

That is what a client meets whose connection is ended by an administrator just after it was made.
No statement is ever answered.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

SSL_REQUEST = 80877103


def message(kind: bytes, *parts: bytes) -> bytes:
    """Return a message of the protocol (PostgreSQL 18, section 54.7)."""
    body = b"".join(parts)
    return kind + struct.pack("!I", len(body) + 4) + body


WELCOME = b"".join(
    [
        message(b"R", struct.pack("!I", 0)),
        message(b"S", b"server_version\x0018.0\x00"),
        message(b"S", b"client_encoding\x00UTF8\x00"),
        message(b"K", struct.pack("!II", 1, 1)),
        message(b"Z", b"I"),
    ]
)
FAREWELL = message(
    b"E",
    b"SFATAL\x00VFATAL\x00C57P01\x00",
    b"Mterminating connection due to administrator command\x00\x00",
)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        (length,) = struct.unpack("!I", await reader.readexactly(4))
        startup = await reader.readexactly(length - 4)
        if struct.unpack("!I", startup[:4])[0] != SSL_REQUEST:
            break
        writer.write(b"N")
    writer.write(WELCOME + FAREWELL)
    await reader.read()


@asynccontextmanager
async def leaving_server() -> AsyncIterator[str]:
    """Run the server and yield the URL of a database in it."""
    ended: list[asyncio.Future[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end = asyncio.get_running_loop().create_future()
        ended.append(end)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await _serve(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        end.set_result(None)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"postgresql://anyone@127.0.0.1:{port}/any"
    finally:
        server.close()
        await asyncio.gather(*ended)
