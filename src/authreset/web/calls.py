"""One call to the intake and its answer, as any server hands them over. Decides nothing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias
from uuid import UUID

from authreset.flows.authenticate import Caller, Unauthorized
from authreset.rules.tenancy import EntityRef

_NO_ID = UUID(int=0)

Headers: TypeAlias = list[tuple[bytes, bytes]]
Fields: TypeAlias = Mapping[bytes, bytes]
"""The fields of a head by their names in lower case."""


def fields_of(headers: Iterable[tuple[bytes, bytes]]) -> Fields:
    """Return the fields of a head in which names may occur more than once.

    Which of two tokens counts is not for us to guess, so they become an empty one. Lines of
    X-Forwarded-For are joined in their order (RFC 9110, section 5.3); of other fields the last
    line stands.
    """
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in fields and name == b"requesttoken":
            value = b""
        elif name in fields and name == b"x-forwarded-for":
            value = fields[name] + b", " + value
        fields[name] = value
    return fields


class Call:
    """What the head of one call says, and what was found out about it so far."""

    __slots__ = ("address", "caller", "content_type", "entity", "id", "origin", "token")

    def __init__(self, fields: Fields, id: UUID = _NO_ID, address: str = "") -> None:
        self.id = id
        self.address = address
        self.caller: Caller | Unauthorized | None = None
        self.entity: EntityRef | Unauthorized | None = None
        self.content_type = fields.get(b"content-type")
        self.origin = b"origin" in fields
        token = fields.get(b"requesttoken")
        if token is None:
            token = _bearer(fields.get(b"authorization", b""))
        self.token = None if token is None else token.decode("latin-1")


def _bearer(authorization: bytes) -> bytes | None:
    return authorization[7:].strip() if authorization[:7].lower() == b"bearer " else None


class Answer(NamedTuple):
    """What goes back to the caller."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
