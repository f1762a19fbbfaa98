"""uvicorn's HTTP/1.1 protocol with what it lacks: bounds, and a short way for the one hot call.

The short way leaves out the task, the ASGI messages and the scope that every other call gets;
they cost several times what the call itself does (docs/decisions/0003-express-lane.md).
"""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from authreset.web.calls import Answer
from authreset.web.faults import bad_request
from authreset.web.intake import IntakeCalls
from authreset.web.reading import LONGEST_BODY as LONGEST_CALL

LONGEST_HEAD = 16 * 1024
LONGEST_BODY = 256 * 1024
REQUEST_SECONDS = 10.0
"""A client has so long to send a whole request, counted from its first byte or its connection."""

MALFORMED = bad_request("The request is not well-formed HTTP/1.1.")
HEAD_TOO_LARGE = bad_request(f"The request's head is larger than {LONGEST_HEAD} bytes.")

HOT_URL = b"/api/User/authreset"

_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


class ExpressCycle:
    """Stands where uvicorn keeps the request under way, so that its bookkeeping goes on."""

    __slots__ = (
        "body",
        "disconnected",
        "keep_alive",
        "message_event",
        "more_body",
        "response_complete",
    )

    def __init__(self, keep_alive: bool) -> None:
        self.body = bytearray()
        self.keep_alive = keep_alive
        self.more_body = True
        self.disconnected = False
        self.response_complete = False
        self.message_event = _UNHEARD


class _HeadTooLarge(Exception):
    """Stops the parser, which knows no other way."""


class _Unheard:
    def set(self) -> None:
        """Nobody waits for the parts of a body here."""


_UNHEARD = _Unheard()


class BoundedProtocol(HttpToolsProtocol):
    """Closes on clients that send too much or too slowly, so that memory stays bounded."""

    intake: IntakeCalls | None = None  # set by `protocol_for`
    request_seconds = REQUEST_SECONDS
    _head_size = 0
    _body_size = 0
    _in_head = True
    _deadline: float | None = None
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself declares it
        """Start the clock: a connection that never speaks is closed too."""
        super().connection_made(transport)
        self._deadline = self.loop.time() + self.request_seconds
        self._watch = self.loop.call_later(self.request_seconds, self._check_time)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count a head's bytes before parsing them."""
        if self._deadline is None:
            self._deadline = self.loop.time() + self.request_seconds
        if self._in_head:
            self._head_size += len(data)
            if self._head_size > LONGEST_HEAD + LONGEST_BODY:
                self._refuse(HEAD_TOO_LARGE.body())
                return
        super().data_received(data)
        if self._in_head and self._head_size > LONGEST_HEAD and not self.transport.is_closing():
            self._refuse(HEAD_TOO_LARGE.body())

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._in_head, self._body_size = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """End the head."""
        # One piece may bring a whole head, and much of what follows it.
        if self._head_size > LONGEST_HEAD and self._measure_head() > LONGEST_HEAD:
            self._refuse(HEAD_TOO_LARGE.body())
            raise _HeadTooLarge
        self._in_head, self._head_size = False, 0
        if self.url == HOT_URL and self._may_take_express():
            self.cycle = ExpressCycle(self.parser.should_keep_alive())  # type: ignore[assignment]  # has what is used of it
        else:
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
        cycle: Any = self.cycle
        if type(cycle) is ExpressCycle and self.intake is not None:
            peer = self.client[0] if self.client else ""
            self.intake.serve_soon(
                self.headers, bytes(cycle.body), peer, lambda answer: self._respond(cycle, answer)
            )

    def _measure_head(self) -> int:
        fields = sum(len(name) + len(value) + len(b": \r\n") for name, value in self.headers)
        return len(self.url) + fields

    def _may_take_express(self) -> bool:
        """Tell whether nothing is under way here and the call is of the plain kind."""
        under_way = self.cycle is not None and not self.cycle.response_complete
        return (
            self.intake is not None
            and not under_way
            and not self.flow.write_paused  # the usual way waits for whoever does not read
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and not self.expect_100_continue
            and not self.parser.should_upgrade()
            and _announced_length(self.headers) <= LONGEST_CALL
        )

    def _respond(self, cycle: ExpressCycle, answer: Answer) -> None:
        cycle.response_complete = True
        if cycle.disconnected or self.transport.is_closing():
            return
        parts = [_STATUS_LINES[answer.status]]
        for name, value in (*self.server_state.default_headers, *answer.headers):
            parts += (name, b": ", value, b"\r\n")
        if not cycle.keep_alive:
            parts.append(b"connection: close\r\n")
        parts += (b"\r\n", answer.body)
        self.transport.write(b"".join(parts))
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer in the contract's error shape, unless that was done already."""
        if not self.transport.is_closing():
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
        self._watch = self.loop.call_later(self.request_seconds / 2, self._check_time)


def protocol_for(
    intake: IntakeCalls, request_seconds: float = REQUEST_SECONDS
) -> type[BoundedProtocol]:
    """Return the protocol with a short way to these calls."""
    given = {"intake": intake, "request_seconds": request_seconds}
    return type("ExpressProtocol", (BoundedProtocol,), given)


def _announced_length(headers: list[tuple[bytes, bytes]]) -> int:
    """Return the length of a body; one that is not announced (chunked) takes the usual way."""
    for name, value in headers:
        if name == b"content-length":
            return int(value)  # the parser has seen to it that these are digits
    return LONGEST_CALL + 1
