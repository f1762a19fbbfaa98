"""Whom a request asks for: the classes that must look alike, and the addresses in each.

How their users are stored is `people`'s matter, how they are timed that of `draws`.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

DOMAIN = "silence.example"
LOCAL = 32
"""Octets of every local part on the wire, so that no class is told by its length."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of addresses. `odd`: they are typed in an unusual Unicode spelling."""

    name: str
    meaning: str
    has_user: bool = True
    odd: bool = False


ACTIVE = Kind("active", "an active user")
UNKNOWN = Kind("unknown", "nobody's address", has_user=False)
INACTIVE = Kind("inactive", "a user with status 0")
DELETED = Kind("deleted", "a user with status -99")
LOCKED = Kind("locked", "a user with status 85, locked for a day")
ELSEWHERE = Kind("elsewhere", "an active user of another tenant")
LIMITED = Kind("limited", "an active user over a limit of its mailbox")
UNICODE = Kind("unicode", "an active user, typed in odd Unicode", odd=True)
UNICODE_UNKNOWN = Kind(
    "unicode-unknown", "nobody's address, typed in odd Unicode", has_user=False, odd=True
)
NEUTRAL = Kind("neutral", "nobody's address: the probe after each request", has_user=False)
CONTROL = Kind("control", "nobody's address, asked 1 ms later by the clock", has_user=False)

WRONG = Kind("wrong-password", "an active user, but not the password")
NO_PASSWORD = Kind("no-password", "an active user who never set a password")
LEGACY = Kind("legacy-argon2", "as wrong-password, the hash of a cheaper Argon2")
FOREIGN = Kind("legacy-bcrypt", "as wrong-password, the hash a bcrypt one")

RESET_KINDS = (
    UNKNOWN, ACTIVE, INACTIVE, DELETED, LOCKED, ELSEWHERE, LIMITED, UNICODE_UNKNOWN, UNICODE,
)  # fmt: skip
OUTAGE_KINDS = (UNKNOWN, ACTIVE)
LOGIN_KINDS = (UNKNOWN, WRONG, INACTIVE, DELETED, LOCKED, ELSEWHERE, NO_PASSWORD, LEGACY, FOREIGN)
ALL_KINDS = tuple(dict.fromkeys((*RESET_KINDS, *LOGIN_KINDS)))


def address(kind: Kind, number: int) -> str:
    """Return an address of a class as it is typed; each number gives another one.

    They are scattered, so that no class lies together in an index.
    """
    local = hashlib.blake2b(f"{kind.name}/{number}".encode(), digest_size=LOCAL // 2).hexdigest()
    return f"{_odd(local) if kind.odd else local}@{DOMAIN}"


def stored_address(kind: Kind, number: int) -> str:
    """Return the address as its user's row has it."""
    typed = address(kind, number)
    return _plain(typed) if kind.odd else typed


def _odd(local: str) -> str:
    """Respell in as many octets: a ligature, a sharp s, a full-width letter, an accent apart."""
    signs = "\N{LATIN SMALL LIGATURE FI}\N{LATIN SMALL LETTER SHARP S}"
    signs += "\N{FULLWIDTH LATIN SMALL LETTER K}e\N{COMBINING ACUTE ACCENT}"
    return signs + local[: LOCAL - len(signs.encode())]


def _plain(typed: str) -> str:
    return "fissk\N{LATIN SMALL LETTER E WITH ACUTE}" + typed[5:]


def find(names: Iterable[str]) -> list[Kind]:
    """Return the classes of these names. Raises ValueError for one that is not known."""
    by_name = {kind.name: kind for kind in ALL_KINDS}
    for name in names:
        if name not in by_name:
            raise ValueError(f"{name!r} is none of {', '.join(by_name)}")
    return [by_name[name] for name in names]
