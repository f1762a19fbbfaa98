"""Token forms: how a token is built, read, derived and digested. Who holds one is not known here.

A token is a letter, a dot and 44 characters of base64url (RFC 4648, section 5) that hold
key id (2 bytes), secret (24 bytes) and check value (7 bytes). The check value is a keyed MAC, so
that garbage is refused without asking a database. Only `digest_token` of a token may be stored.
"""

import binascii
import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from enum import StrEnum
from uuid import UUID

from authreset.rules.clocks import RandomBytes
from authreset.rules.keyrings import KEY_ID_BYTES, KeyRing, SecretKey

SECRET_BYTES = 24
CHECK_BYTES = 7
TOKEN_LENGTH = 2 + (KEY_ID_BYTES + SECRET_BYTES + CHECK_BYTES) * 4 // 3


class TokenKind(StrEnum):
    """The letter before the dot."""

    ORGANIZATION = "o"
    APPLICATION = "a"
    SESSION = "u"
    RESET = "r"


_KINDS = {f"{kind}.": kind for kind in TokenKind}


def new_token(kind: TokenKind, keyring: KeyRing, random_bytes: RandomBytes) -> str:
    """Return a fresh token with 192 unpredictable bits."""
    return _compose(kind, keyring.current, random_bytes(SECRET_BYTES))


def derive_reset_token(reset_id: UUID, key: SecretKey) -> str:
    """Return the one token of a reset. The same reset and key give the same token at any time."""
    secret = hmac.digest(key.reset_key, reset_id.bytes, "sha256")[:SECRET_BYTES]
    return _compose(TokenKind.RESET, key, secret)


def derive_demo_token(kind: TokenKind, name: str, key: SecretKey) -> str:
    """Return the demo's API token of that name: the same at each start, stored nowhere."""
    secret = hmac.digest(key.demo_key, f"{kind}{name}".encode(), "sha256")[:SECRET_BYTES]
    return _compose(kind, key, secret)


def read_kind(text: str, keyring: KeyRing) -> TokenKind | None:
    """Return a token's kind when its form and check value are right, else None."""
    kind = _KINDS.get(text[:2])
    if kind is None or len(text) != TOKEN_LENGTH:
        return None
    raw = _decode(text[2:])
    if raw is None:
        return None
    key = keyring.find(raw[:KEY_ID_BYTES])
    if key is None:
        return None
    expected = _check(kind, key, raw[:-CHECK_BYTES])
    return kind if hmac.compare_digest(raw[-CHECK_BYTES:], expected) else None


def digest_token(text: str) -> bytes:
    """Return what may be stored of a token: SHA-256, enough for 192 random bits.

    NIST SP 800-63B-4, section 3.1.2.2, asks for a slow hash only of look-up secrets below 112 bits.
    """
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _compose(kind: TokenKind, key: SecretKey, secret: bytes) -> str:
    body = key.id + secret
    return f"{kind}.{urlsafe_b64encode(body + _check(kind, key, body)).decode()}"


def _check(kind: TokenKind, key: SecretKey, body: bytes) -> bytes:
    return hmac.digest(key.check_key, kind.encode() + body, "sha256")[:CHECK_BYTES]


def _decode(text: str) -> bytes | None:
    # The standard alphabet's "+" and "/" would give one token a second spelling.
    if not text.isascii() or "+" in text or "/" in text:
        return None
    try:
        raw = urlsafe_b64decode(text)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == KEY_ID_BYTES + SECRET_BYTES + CHECK_BYTES else None
