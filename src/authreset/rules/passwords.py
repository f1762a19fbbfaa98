"""What a new password has to be, by NIST SP 800-63B-4, section 3.1.1.2 (Password Verifiers).

Only the judgement lives here. Hashing, the history of old passwords and the estimator do not.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from authreset.rules.spellings import (
    core,
    is_repeated,
    length_without_runs,
    spellings,
    split_words,
)

FLOOR = 8
"""The least length that the standard allows any password (as part of a multi-factor log-in)."""

ENOUGH_GUESSES_LOG10 = 8.5
"""An estimate below this is refused: a good deal beyond what throttled guessing will reach."""

SERVICE_NAME = "authreset"

COMMON_PASSWORDS = frozenset({
    "correcthorsebatterystaple", "thequickbrownfox", "thequickbrownfoxjumps", "letmeinplease",
    "changemeplease", "passwordpassword", "thisismypassword", "mysecretpassword", "ihatepasswords",
    "iloveyouforever", "opensesameopen", "onceuponatime", "maytheforcebewithyou", "tobeornottobe",
    "supercalifragilisticexpialidocious", "administrator", "welcometothejungle", "trustnooneatall",
})  # fmt: skip
"""Long ones that estimators of English words take for good. Add a real list in the policy."""


class WeaknessCode(StrEnum):
    """Why a password is refused, for programs."""

    NOT_TEXT = "not_text"
    TOO_LONG = "too_long"
    TOO_SHORT = "too_short"
    REPEATED = "repeated"
    SEQUENTIAL = "sequential"
    CONTEXT = "context"
    COMMON = "common"
    REUSED = "reused"


@dataclass(frozen=True, slots=True)
class Weakness:
    """Why a password is refused, and in `text` what to do, for the person who chose it."""

    code: WeaknessCode
    text: str


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """What is asked of a new password. Lengths are in Unicode code points, after normalisation.

    `blocklist` holds lower-case passwords, compared with the whole password and with its plain
    spellings. `remembered` is how many earlier passwords may not come back. The standard wants 15
    characters where the password is the only factor; the shorter default leans on the estimate.
    Raises ValueError for a minimum outside 8 to 64 or a maximum outside 64 to 1024.
    """

    minimum_length: int = 12
    maximum_length: int = 256
    blocklist: frozenset[str] = COMMON_PASSWORDS
    remembered: int = 4

    def __post_init__(self) -> None:
        if not FLOOR <= self.minimum_length <= 64:
            raise ValueError("expected a minimum length from 8 to 64")
        if not 64 <= self.maximum_length <= 1024:
            raise ValueError("expected a maximum length from 64 to 1024")
        if self.remembered < 0:
            raise ValueError("expected to remember no fewer than 0 passwords")


@dataclass(frozen=True, slots=True)
class PasswordContext:
    """Words that an attacker would try first for this person: e-mail address, names, entry.

    Handed in as they are; the rule splits and folds them. The repr keeps them to itself.
    """

    words: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"PasswordContext({len(self.words)} words)"


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many guesses a good attacker needs, as a power of ten.

    A password without any pattern is worth at least as much as it has characters.
    """

    guesses_log10: float


Estimator: TypeAlias = Callable[[str, Sequence[str]], Estimate]
"""Judges a password, given words that count as known to the attacker."""


def normalise_password(password: str) -> str:
    """Return the form that is measured and hashed: NFC (Unicode Standard Annex 15, section 12.1).

    SP 800-63B-4 names NFC; its drafts and revision 3 named NFKC or NFKD. Stable for ever, as long
    as each code point is assigned, which `find_weaknesses` sees to. Never raises.
    """
    return unicodedata.normalize("NFC", password)


def find_weaknesses(
    password: str, policy: PasswordPolicy, context: PasswordContext, estimate: Estimator
) -> tuple[Weakness, ...]:
    """Return all that is wrong with a new password; nothing means that it may be used.

    No rule of composition is asked (section 3.1.1.2, item 5): the password is judged as a whole. A
    word from the context is no fault by itself, but it counts for nothing. `estimate` is asked last
    and only about a password that has passed all else, of at most `maximum_length`.
    """
    text = normalise_password(password)
    if unusable := _not_text(text) or _too_long(text, policy):
        return (unusable,)
    words = split_words((*context.words, SERVICE_NAME))
    found = (
        _too_short(text, policy),
        _patterned(text),
        _from_context(spellings(text), words, policy),
        _listed(text, policy),
    )
    weaknesses = tuple(weakness for weakness in found if weakness is not None)
    return weaknesses or _guessable(estimate(text, words), policy)


def reused_password(policy: PasswordPolicy) -> Weakness:
    """Return the weakness of a password that the history holds. The history itself is elsewhere."""
    return Weakness(
        WeaknessCode.REUSED,
        f"Choose a password that is not among your last {policy.remembered}.",
    )


def _not_text(text: str) -> Weakness | None:
    # Unassigned code points may normalise differently one day, and then nobody could log in.
    if all(unicodedata.category(c) not in {"Cc", "Cs", "Cn", "Zl", "Zp"} for c in text):
        return None
    advice = "Leave out control characters, line breaks and symbols that this service cannot store."
    return Weakness(WeaknessCode.NOT_TEXT, advice)


def _too_long(text: str, policy: PasswordPolicy) -> Weakness | None:
    if len(text) <= policy.maximum_length:
        return None
    advice = f"Use at most {policy.maximum_length} characters; this one has {len(text)}."
    return Weakness(WeaknessCode.TOO_LONG, advice)


def _too_short(text: str, policy: PasswordPolicy) -> Weakness | None:
    if len(text) >= policy.minimum_length:
        return None
    advice = f"Use at least {policy.minimum_length} characters; this one has {len(text)}."
    return Weakness(WeaknessCode.TOO_SHORT, advice)


def _patterned(text: str) -> Weakness | None:
    if is_repeated(text, shorter_than=FLOOR):
        return _REPEATED
    return _SEQUENTIAL if length_without_runs(text) < min(FLOOR, len(text)) else None


def _from_context(
    readings: Iterable[str], words: Sequence[str], policy: PasswordPolicy
) -> Weakness | None:
    left, whole = min((_length_without(words, each), len(each)) for each in readings)
    if left == whole or left >= policy.minimum_length:
        return None
    advice = (
        "Leave out your name, your e-mail address and the names of your organisation and of this "
        f"service: {left} characters remain without them, and {policy.minimum_length} are needed."
    )
    return Weakness(WeaknessCode.CONTEXT, advice)


def _length_without(words: Sequence[str], text: str) -> int:
    for word in words:
        text = text.replace(word, "\0")
    return len(text) - text.count("\0")


def _listed(text: str, policy: PasswordPolicy) -> Weakness | None:
    forms = {text, text.casefold()} | spellings(text) | spellings(core(text))
    return None if policy.blocklist.isdisjoint(forms) else _COMMON


def _guessable(estimated: Estimate, policy: PasswordPolicy) -> tuple[Weakness, ...]:
    # Never more than random characters of the least length are worth: those have to pass.
    enough = min(ENOUGH_GUESSES_LOG10, policy.minimum_length)
    return () if estimated.guesses_log10 >= enough else (_COMMON,)


_REPEATED = Weakness(
    WeaknessCode.REPEATED,
    "Do not repeat the same few characters. Several unrelated words are better.",
)
_SEQUENTIAL = Weakness(
    WeaknessCode.SEQUENTIAL,
    "Avoid rows of the same or of neighbouring characters, such as aaaa, 1234, abcd or qwerty.",
)
_COMMON = Weakness(
    WeaknessCode.COMMON,
    "This password is among those that attackers try first. Several unrelated words are better.",
)
