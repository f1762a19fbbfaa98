"""uvicorn's HTTP/1.1 protocol with the bounds it lacks: size of a head and a body, time for both."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from authreset.web.faults import bad_request

LONGEST_HEAD = 16 * 1024
LONGEST_BODY = 256 * 1024
REQUEST_SECONDS = 10.0
"""A client has so long to send a whole request, counted from its first byte or its connection."""

MALFORMED = bad_request("The request is not well-formed HTTP/1.1.")
HEAD_TOO_LARGE = bad_request(f"The request's head is larger than {LONGEST_HEAD} bytes.")


class BoundedProtocol(HttpToolsProtocol):
    """Closes on clients that send too much or too slowly, so that memory stays bounded."""

    _head_size = 0
    _body_size = 0
    _in_head = True
    _deadline: float | None = None
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself declares it
        """Start the clock: a connection that never speaks is closed too."""
        super().connection_made(transport)
        self._deadline = self.loop.time() + REQUEST_SECONDS
        self._watch = self.loop.call_later(REQUEST_SECONDS, self._check_time)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count a head's bytes before parsing them."""
        if self._deadline is None:
            self._deadline = self.loop.time() + REQUEST_SECONDS
        if self._in_head:
            self._head_size += len(data)
            if self._head_size > LONGEST_HEAD + LONGEST_BODY:
                return self._refuse(HEAD_TOO_LARGE.body())
        super().data_received(data)
        if self._in_head and self._head_size > LONGEST_HEAD and not self.transport.is_closing():
            self._refuse(HEAD_TOO_LARGE.body())

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._in_head, self._body_size = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """End the head."""
        self._in_head, self._head_size = False, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count a body's bytes; the application has its own, smaller bound."""
        self._body_size += len(body)
        if self._body_size > LONGEST_BODY:
            self.transport.close()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop the clock until the next request begins."""
        self._in_head, self._deadline = True, None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer in the contract's error shape."""
        self._refuse(MALFORMED.body())

    def _refuse(self, body: bytes) -> None:
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _check_time(self) -> None:
        now: Any = self.loop.time()
        if self._deadline is not None and now >= self._deadline:
            self.transport.abort()
            return
        self._watch = self.loop.call_later(REQUEST_SECONDS / 2, self._check_time)
