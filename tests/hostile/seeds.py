"""What mutations begin with: bodies and header fields, good ones and the contract's bad ones."""

import random

from tests.web.test_contract import BAD_ADDRESSES, BAD_BODIES, BAD_ENTRIES, MEDIA_TYPES, TAKEN, obj

BODIES: list[bytes] = [
    *(body or b"" for body in TAKEN.values()),
    *BAD_BODIES.values(),
    *BAD_ENTRIES.values(),
    *(obj(email=email) for email in BAD_ADDRESSES.values()),
]
FIELDS: list[tuple[str, str]] = [
    *(("Content-Type", value) for value in MEDIA_TYPES),
    *(("requestToken", value) for value in ("", "garbage", "o." + "A" * 44, "é", "o.a, o.b")),
    *(("Authorization", value) for value in ("Bearer", "Bearer  ", "Basic eDp5", "bearer o.x")),
    *(("Origin", value) for value in ("null", "https://evil.example", "")),
    *(("X-Forwarded-For", value) for value in ("::1", "1.2.3.4, ,", "fe80::1%eth0", "[::1]:80")),
    *(("Accept", value) for value in ("text/html", "application/xml", "*/*;q=0")),
    *(("Host", value) for value in ("evil.example", "a:b:c", "é")),
    ("Cookie", "session=x; session=y"),
    ("X-Request-Id", "1"),
]
PIECES = [b"", b"\x00", b"\xff", b"{", b"}", b'"', b"\\", b"\\ud800", b"\r\n", b"\n", b":", b" "]
PIECES += [b",", b"[", b"0", b"-1", b"9" * 30, b"1e999", b"null", b"\xe2\x80\xae", b"chunked"]


def mutated(octets: bytes, chance: random.Random) -> bytes:
    """Change octets in one to four places: flip, cut out, put in, repeat."""
    changed = bytearray(octets)
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(changed))
        end = min(len(changed), start + chance.choice((0, 1, 1, 2, 8)))
        again = bytes(changed[start:end]) * 2
        flipped = bytes((octet ^ 1 << chance.randrange(8)) for octet in changed[start:end])
        changed[start:end] = chance.choice((again, flipped, chance.choice(PIECES)))
    return bytes(changed)
