"""The ceiling: a plain ASGI application that answers the right bytes and does nothing else."""

from collections.abc import Awaitable, Callable
from typing import Any

BODY = b'{"isSuccess":true,"responseText":"Success"}'
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(BODY)).encode()),
    ],
}
END = {"type": "http.response.body", "body": BODY}


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer every HTTP request the same, without reading its body."""
    if scope["type"] == "http":
        await send(START)
        await send(END)
