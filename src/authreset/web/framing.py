"""What the head of a request says about its framing. Reads no field that the contract knows."""

from typing import TypeAlias

Fields: TypeAlias = list[tuple[bytes, bytes]]
"""Names in lower case."""


def is_plain(fields: Fields, version: str) -> bool:
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


def announced_length(fields: Fields) -> int | None:
    """Return the length of a body; None for one that is not announced (chunked, or none)."""
    for name, value in fields:
        if name == b"content-length":
            return int(value[-20:])  # the parser has seen to it that these are digits of 64 bits
    return None


def measure_head(url: bytes, fields: Fields) -> int:
    """Return about how many octets a head has."""
    return len(url) + sum(len(name) + len(value) + len(b": \r\n") for name, value in fields)


def write_head_without_offer(method: bytes, url: bytes, version: str, fields: Fields) -> bytes:
    """Write a head anew without its offer to speak another protocol (RFC 9110, section 7.8)."""
    lines = [b"%s %s HTTP/%s" % (method, url, version.encode())]
    for name, value in fields:
        if name == b"connection":
            words = (word.strip() for word in value.split(b","))
            lines.append(b"connection: " + b", ".join(w for w in words if w.lower() != b"upgrade"))
        elif name != b"upgrade":
            lines.append(name + b": " + value)
    return b"\r\n".join([*lines, b"", b""])
