"""Sending many calls as fast as they are taken, each until it gets its 200."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence

from drill.callers import PATH

CONNECTIONS = 32
HOST = "127.0.0.1"


class NotTakenError(RuntimeError):
    """A call was answered with something else than 200; the text is the status line."""


async def fill(
    ports: Sequence[int], token: str, entry: str, emails: Sequence[str], done: Callable[[int], None]
) -> None:
    """Call once for each address; `done` is told how many more were taken. Raises NotTakenError."""
    left = iter(emails)
    await asyncio.gather(
        *(_ask(ports[n % len(ports)], token, entry, left, done) for n in range(CONNECTIONS))
    )


async def _ask(
    port: int, token: str, entry: str, emails: Iterator[str], done: Callable[[int], None]
) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    for email in emails:
        writer.write(_call(token, {"email": email, "entry": entry, "entryType": 0}))
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise NotTakenError(head.partition(b"\r\n")[0].decode())
        await reader.readexactly(_length(head))
        done(1)
    writer.close()


def _call(token: str, body: dict[str, object]) -> bytes:
    content = json.dumps(body)
    head = f"POST {PATH} HTTP/1.1\r\nHost: {HOST}\r\nrequestToken: {token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return (head + content).encode()


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0])
