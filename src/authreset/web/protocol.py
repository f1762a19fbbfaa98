"""uvicorn's HTTP/1.1 protocol with the bounds it lacks: in size, in time and in what it takes."""

import asyncio
import logging
import sys

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from authreset.web.faults import Fault, bad_request
from authreset.web.framing import (
    is_plain,
    measure_head,
    write_head_without_offer,
)
from authreset.web.journal import ANSWERS, NO_ROUTE

LONGEST_HEAD = 16 * 1024
LONGEST_BODY = 256 * 1024
REQUEST_SECONDS = 10.0
"""A client has so long to send a whole request, counted from its first byte or its connection."""

LONGEST_MESSAGE = 4 * LONGEST_BODY
"""Octets that may follow a head: a chunked body may be wrapped at length, but not without end."""

MOST_PIPELINED = 64
"""Requests of one connection that may wait for an answer to an earlier one."""

LOOKS_UNREAD = 6
"""After so many looks, two in `request_seconds`, a client that fetches nothing is given up."""

MALFORMED = bad_request("The request is not well-formed HTTP/1.1.")
HEAD_TOO_LARGE = bad_request(f"The request's head is larger than {LONGEST_HEAD} bytes.")


class _Refused(Exception):
    """Stops the parser, which knows no other way."""


# uvicorn warns of each request that is not well formed, so strangers could fill a disk.
_log = logging.getLogger("authreset.http")
_log.setLevel(logging.ERROR)


class BoundedProtocol(HttpToolsProtocol):
    """Closes on clients that send too much or too slowly, so that memory stays bounded."""

    request_seconds = REQUEST_SECONDS
    _head_size = 0
    _body_size = 0
    _rest_size = 0
    _in_head = True
    _is_ending = False
    _offer: bytes | None = None
    _offer_ends_at = 0
    _deadline: float | None = None
    _idle_since = 0.0
    _watch: asyncio.TimerHandle | None = None
    _unread = 0
    _looks_unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself declares it
        """Start the clock: a connection that never speaks is closed too."""
        super().connection_made(transport)
        self.logger = _log
        self._start_clock()
        self._watch = self.loop.call_later(self.request_seconds / 2, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before parsing it; bytes that end nothing cost time as well."""
        self._start_clock()
        self._count(len(data))
        while data and not self._is_ending and not self.transport.is_closing():
            super().data_received(data)
            if self._offer is None:
                break
            data, self._offer = self._offer + data[self._offer_ends_at :], None
            self.parser = httptools.HttpRequestParser(self)
        if self._in_head and self._head_size > LONGEST_HEAD:
            self._refuse(HEAD_TOO_LARGE)

    def _count(self, size: int) -> None:
        if self._in_head:
            self._head_size += size
            if self._head_size > LONGEST_HEAD + LONGEST_BODY:
                self._refuse(HEAD_TOO_LARGE)
        else:
            self._rest_size += size
            if self._rest_size > LONGEST_MESSAGE:
                self.transport.abort()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._in_head, self._body_size, self._rest_size = True, 0, 0
        self._start_clock()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head. Those of a trailer must not pass for it: no proxy saw them."""
        if self._in_head:
            name = name.lower()
            if name == b"expect":
                super().on_header(name, value)
            else:
                self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """End the head, unless it is one that another server would read otherwise."""
        # One piece may bring a whole head, and much of what follows it.
        if self._head_size > LONGEST_HEAD and measure_head(self.url, self.headers) > LONGEST_HEAD:
            self._refuse(HEAD_TOO_LARGE)
            raise _Refused
        if self._takes_short_way():
            self._in_head, self._head_size = False, 0
            return
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if len(self.pipeline) >= MOST_PIPELINED or not is_plain(self.headers, version):
            self._refuse(MALFORMED)
            raise _Refused
        if self.parser.should_upgrade() and method != b"CONNECT":
            # Declined: the parser would take what follows, the body first, for that protocol.
            self._offer = write_head_without_offer(method, self.url, version, self.headers)
            return
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
        if self._offer is not None:
            return
        self._in_head, self._deadline = True, None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, or note since when there is none.

        uvicorn would set a timer and cancel it, call by call.
        """
        if self.pipeline:
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self._idle_since = self.loop.time()
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def _is_under_way(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _takes_short_way(self) -> bool:
        """Tell whether the call whose head is complete is served in another way than uvicorn's."""
        return False

    def send_400_response(self, msg: str) -> None:
        """Answer in the contract's error shape, unless that was done already."""
        self._refuse(MALFORMED)

    def _unsupported_upgrade_warning(self) -> None:
        """Note where the head with the offer ends."""
        _, stopped, _ = sys.exc_info()
        self._offer_ends_at = stopped.args[0] if stopped else 0

    def _refuse(self, fault: Fault) -> None:
        """Refuse what is being read, and end the connection."""
        if self._is_ending or self.transport.is_closing():
            return
        self._is_ending = True
        ANSWERS.labels(NO_ROUTE, fault.status).inc()
        if self._in_head and self._is_under_way():
            self.cycle.keep_alive = False  # earlier requests get their answers, and then the end
        elif self.pipeline:
            self.transport.abort()
        else:
            self._say(fault)

    def _say(self, fault: Fault) -> None:
        body = fault.body()
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _start_clock(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.time() + self.request_seconds

    def _look(self) -> None:
        """Give up a client that is too slow or says nothing more, or that fetches no answers."""
        unread, now = self.transport.get_write_buffer_size(), self.loop.time()
        self._looks_unread = self._looks_unread + 1 if 0 < self._unread <= unread else 0
        self._unread = unread
        is_late = self._deadline is not None and now >= self._deadline
        if is_late or self._looks_unread >= LOOKS_UNREAD:
            self.transport.abort()
            return
        is_idle = self._deadline is None and not self._is_under_way()
        if is_idle and now - self._idle_since >= self.timeout_keep_alive:
            self.transport.close()
            return
        self._watch = self.loop.call_later(self.request_seconds / 2, self._look)
