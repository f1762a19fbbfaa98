"""How people disguise or pad a password: spellings undone, words told apart, patterns seen.

No verdict lives here, and no threshold of a policy: `passwords` decides what these findings mean.
"""

import re
import string
import unicodedata
from collections.abc import Iterable, Iterator

_SHORTEST_WORD = 4
_MOST_TEXTS = 32
_LONGEST_TEXT = 128

_SEPARATORS = frozenset(" ._-'")
_ENDS = string.digits + string.punctuation + " "
# The signs 1, ! and | stand for an i or an l, so there are two readings.
_L33T_I = str.maketrans("@483691!|05$7+2", "aabeggiiiossttz")
_L33T_L = _L33T_I | str.maketrans("1!|", "lll")

_ROWS = (
    "1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm",
    "qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn",
)  # fmt: skip
_NEIGHBOURS = frozenset(
    pair
    for row in _ROWS
    for i in range(len(row) - 1)
    for pair in (row[i : i + 2], row[i + 1] + row[i])
)


def fold(text: str) -> str:
    """Return `text` without case, accents and separators, for loose comparison only."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(c for c in plain if c not in _SEPARATORS and not unicodedata.combining(c))


def spellings(text: str) -> set[str]:
    """Return the folded text and its readings with l33t undone, all of the same length."""
    plain = fold(text)
    return {plain, plain.translate(_L33T_I), plain.translate(_L33T_L)}


def core(text: str) -> str:
    """Return `text` without the digits and signs padded to its ends, if that leaves most of it."""
    stripped = text.strip(_ENDS)
    return stripped if 2 * len(stripped) >= len(text) else text


def split_words(texts: Iterable[str]) -> list[str]:
    """Return the folded words and joined words of four characters and more, the longest first.

    From `jane.doe@acme-pay.example`: janedoe, acmepay, jane, acme, example and so on.
    """
    pieces = {
        piece for text in list(texts)[:_MOST_TEXTS] for piece in _pieces(text[:_LONGEST_TEXT])
    }
    words = {fold(piece) for piece in pieces}
    return sorted((w for w in words if len(w) >= _SHORTEST_WORD and w.isprintable()), key=_order)


def _order(word: str) -> tuple[int, str]:
    return -len(word), word


def _pieces(text: str) -> Iterator[str]:
    yield text
    for boundary in ("@", r"[@.]", r"[\W_]+"):
        yield from re.split(boundary, text)


def is_repeated(text: str, shorter_than: int) -> bool:
    """Tell whether `text` is one unit, shorter than that, again and again (the last may be cut)."""
    folded = text.casefold()
    return any(
        folded[size:] == folded[:-size]
        for size in range(1, shorter_than)
        if 2 * size <= len(folded)
    )


def length_without_runs(text: str) -> int:
    """Return the length of `text` with each run of three or more neighbours counted as two.

    Neighbours are equal characters, ones next to each other in the alphabet or in the digits, and
    keys next to each other in a row of a QWERTY, QWERTZ or AZERTY keyboard, in either direction.
    """
    total = run = 0
    previous = ""
    for character in text.casefold():
        run = run + 1 if previous and _are_neighbours(previous, character) else 1
        total += run <= 2
        previous = character
    return total


def _are_neighbours(one: str, other: str) -> bool:
    if one == other or one + other in _NEIGHBOURS:
        return True
    return abs(ord(one) - ord(other)) == 1 and one.isalnum() and other.isalnum()
