"""The short way's own pieces: what stands for a request under way, and an answer as octets."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple

from authreset.web.calls import Answer, Fields

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
