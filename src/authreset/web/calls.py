"""One call to the intake and its answer, as any server hands them over. Decides nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from authreset.flows.authenticate import Caller, Unauthorized
from authreset.rules.tenancy import EntityRef

_NO_ID = UUID(int=0)

Headers = list[tuple[bytes, bytes]]


class Call:
    """What the headers of one call say, and what was found out about it so far."""

    __slots__ = ("address", "caller", "content_type", "entity", "id", "origin", "token")

    def __init__(
        self, headers: Sequence[tuple[bytes, bytes]], id: UUID = _NO_ID, address: str = ""
    ) -> None:
        self.id = id
        self.address = address
        self.caller: Caller | Unauthorized | None = None
        self.entity: EntityRef | Unauthorized | None = None
        self.content_type: bytes | None = None
        self.origin = False
        token: bytes | None = None
        bearer: bytes | None = None
        tokens = 0
        for name, value in headers:
            if name == b"requesttoken":
                token = value
                tokens += 1
            elif name == b"content-type":
                self.content_type = value
            elif name == b"authorization" and value[:7].lower() == b"bearer ":
                bearer = value[7:].strip()
            elif name == b"origin":
                self.origin = True
        if tokens > 1:
            token = bearer = None  # which of two tokens counts is not for us to guess
        chosen = bearer if token is None else token
        self.token = None if chosen is None else chosen.decode("latin-1")


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the caller."""

    status: int
    headers: Headers
    body: bytes
