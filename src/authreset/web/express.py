"""A short way for the one hot call, from the parser to the intake and back.

It leaves out the task, the ASGI messages and the scope that every other call gets; they cost
several times what the call itself does (docs/decisions/0003-express-lane.md).
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from authreset.web.calls import Answer, Fields
from authreset.web.framing import announced_length, fields_of_usual_head
from authreset.web.intake import IntakeCalls
from authreset.web.protocol import REQUEST_SECONDS, BoundedProtocol
from authreset.web.reading import LONGEST_BODY

HOT_URL = b"/api/User/authreset"

_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


class ExpressCycle:
    """Stands where uvicorn keeps the request under way, so that its bookkeeping goes on."""

    __slots__ = (
        "body",
        "disconnected",
        "fields",
        "keep_alive",
        "message_event",
        "more_body",
        "response_complete",
    )

    def __init__(self, fields: Fields, keep_alive: bool) -> None:
        self.fields = fields
        self.body = bytearray()
        self.keep_alive = keep_alive
        self.more_body = True
        self.disconnected = False
        self.response_complete = False
        self.message_event = _UNHEARD


class _Unheard:
    def set(self) -> None:
        """Nobody waits for the parts of a body here."""


_UNHEARD = _Unheard()


LONGEST_KNOWN_HEAD = 2 * 1024
"""Octets that a connection may keep of what it was sent before."""


class KnownHead(NamedTuple):
    """A head that was parsed and found usual: as octets, and as what it says."""

    octets: bytes
    message_size: int
    fields: Fields

    def body_in(self, piece: bytes) -> bytes | None:
        """Return the body in a piece that is this head once more and the body that it announces."""
        if len(piece) == self.message_size and piece.startswith(self.octets):
            return piece[len(self.octets) :]
        return None


def octets_of(answer: Answer, usual: Sequence[tuple[bytes, bytes]], keep_alive: bool) -> bytes:
    """Return an answer as it goes out, after the header fields that every answer has."""
    parts = [_STATUS_LINES[answer.status]]
    for name, value in (*usual, *answer.headers):
        parts += (name, b": ", value, b"\r\n")
    if not keep_alive:
        parts.append(b"connection: close\r\n")
    parts += (b"\r\n", answer.body)
    return b"".join(parts)


class ExpressProtocol(BoundedProtocol):
    """Serves plain calls to the intake itself, one at a time; all others go uvicorn's way."""

    intake: IntakeCalls  # set by `protocol_for`
    _known: KnownHead | None = None

    def data_received(self, data: bytes) -> None:
        """Serve a call whose head is known from the one before it; parse everything else."""
        is_between = self._deadline is None
        if is_between and self._known is not None and self._is_free():
            body = self._known.body_in(data)
            if body is not None:
                self._serve(self._take(self._known.fields, keep_alive=True), body)
                return
        super().data_received(data)
        if is_between:
            self._known = self._head_of_only_call(data)

    def on_message_complete(self) -> None:
        """Serve the call if it took the short way."""
        cycle: Any = self.cycle
        is_call = type(cycle) is ExpressCycle and cycle.more_body and self._offer is None
        super().on_message_complete()
        if is_call:
            self._serve(cycle, bytes(cycle.body))

    def _takes_short_way(self) -> bool:
        """Take the call when it is of the usual kind and nothing is under way."""
        if self.url != HOT_URL or not self._is_free():
            return False
        if self.parser.get_method() != b"POST" or self.parser.get_http_version() != "1.1":
            return False
        fields = fields_of_usual_head(self.headers)
        if fields is None or announced_length(fields) > LONGEST_BODY:
            return False
        self._take(fields, self.parser.should_keep_alive())
        return True

    def _is_free(self) -> bool:
        is_reading = not self.flow.write_paused  # the usual way waits for whoever is not
        is_open = not self._is_ending and not self.transport.is_closing()
        return is_reading and is_open and not self._is_under_way()

    def _take(self, fields: Fields, keep_alive: bool) -> ExpressCycle:
        cycle = ExpressCycle(fields, keep_alive)
        self.cycle = cycle  # type: ignore[assignment]  # has what is used of it
        return cycle

    def _head_of_only_call(self, data: bytes) -> KnownHead | None:
        """Return the head if these octets were one whole call of the short way and nothing else."""
        cycle: Any = self.cycle
        if self._deadline is not None or type(cycle) is not ExpressCycle or not cycle.keep_alive:
            return None
        head_size = data.find(b"\r\n\r\n") + 4
        if head_size + len(cycle.body) != len(data) or head_size > LONGEST_KNOWN_HEAD:
            return None  # more than one call, or stray line ends around it
        return KnownHead(data[:head_size], len(data), cycle.fields)

    def _serve(self, cycle: ExpressCycle, body: bytes) -> None:
        cycle.more_body = False
        peer = self.client[0] if self.client else ""
        self.intake.serve_soon(
            cycle.fields, body, peer, lambda answer: self._respond(cycle, answer)
        )

    def _respond(self, cycle: ExpressCycle, answer: Answer) -> None:
        cycle.response_complete = True
        if cycle.disconnected or self.transport.is_closing():
            return
        usual = self.server_state.default_headers
        self.transport.write(octets_of(answer, usual, cycle.keep_alive))
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()


def protocol_for(
    intake: IntakeCalls, request_seconds: float = REQUEST_SECONDS
) -> type[ExpressProtocol]:
    """Return the protocol with a short way to these calls."""
    given = {"intake": intake, "request_seconds": request_seconds}
    return type("ProtocolToIntake", (ExpressProtocol,), given)
