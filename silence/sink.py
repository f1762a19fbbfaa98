"""A mail server as a program, so that its work is done on the service's core: accepts, or hangs.

Run with `accept` or `hang`; prints its port once it listens and ends with its standard input.
"""

import asyncio
import sys
from collections.abc import Callable

import uvloop
from bench.sink import Acceptances, Session


class Silent(asyncio.Protocol):
    """Takes a connection and never says a word."""


async def serve(make: Callable[[], asyncio.Protocol]) -> None:
    """Serve until standard input is closed, as it is when our parent ends, however it does."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    server = await loop.create_server(make, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop.add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()


def main() -> None:
    """Serve as the argument says."""
    noted = Acceptances()
    uvloop.run(serve(Silent if sys.argv[1] == "hang" else lambda: Session(noted)))


if __name__ == "__main__":
    main()
