"""What the head of a request says about its framing. Reads no field that the contract knows."""

from collections.abc import Mapping
from typing import TypeAlias

Lines: TypeAlias = list[tuple[bytes, bytes]]
"""The lines of a head: names in lower case, and values."""

_UNUSUAL = frozenset({b"transfer-encoding", b"upgrade", b"expect"})


def fields_of_usual_head(lines: Lines) -> dict[bytes, bytes] | None:
    """Return the fields of a head that says everything once and asks for nothing unusual.

    None for any other: no host, no announced length, a name that comes twice, a body in pieces,
    another protocol, a wait for leave to send.
    """
    fields = dict(lines)
    if len(fields) != len(lines) or not _UNUSUAL.isdisjoint(fields):
        return None
    return fields if b"host" in fields and b"content-length" in fields else None


def is_plain(fields: Lines, version: str) -> bool:
    """Tell whether host and framing are beyond doubt (RFC 9112, sections 3.2 and 6.1).

    The parser has refused what it cannot read; this refuses what another server may read otherwise.
    """
    hosts = 0
    for name, value in fields:
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding" and value.strip().lower() != b"chunked":
            return False
    return hosts == 1 or (hosts == 0 and version == "1.0")


def announced_length(fields: Mapping[bytes, bytes]) -> int:
    """Return the length that a usual head announces."""
    return int(fields[b"content-length"][-20:])  # digits of 64 bits: the parser has seen to it


def measure_head(url: bytes, fields: Lines) -> int:
    """Return about how many octets a head has."""
    return len(url) + sum(len(name) + len(value) + len(b": \r\n") for name, value in fields)


def write_head_without_offer(method: bytes, url: bytes, version: str, fields: Lines) -> bytes:
    """Write a head anew without its offer to speak another protocol (RFC 9110, section 7.8)."""
    lines = [b"%s %s HTTP/%s" % (method, url, version.encode())]
    for name, value in fields:
        if name == b"connection":
            words = (word.strip() for word in value.split(b","))
            lines.append(b"connection: " + b", ".join(w for w in words if w.lower() != b"upgrade"))
        elif name != b"upgrade":
            lines.append(name + b": " + value)
    return b"\r\n".join([*lines, b"", b""])
