"""Passwords taken and refused, judged with the real estimator as the service does."""

import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authreset.rules.passwords import (
    ENOUGH_GUESSES_LOG10,
    Estimate,
    PasswordContext,
    PasswordPolicy,
    Weakness,
    WeaknessCode,
    find_weaknesses,
    normalise_password,
    reused_password,
)
from authreset.strength import estimate_strength

POLICY = PasswordPolicy()
JANE = PasswordContext(
    ("jane.doe@acme-pay.example", "Jane Doe", "Pilgrim Planner Inc.", "8cfec329267")
)


def strong(password: str, words: Sequence[str]) -> Estimate:
    return Estimate(30.0)


def codes(
    password: str, policy: PasswordPolicy = POLICY, context: PasswordContext = JANE
) -> list[str]:
    return [w.code.value for w in find_weaknesses(password, policy, context, estimate_strength)]


TAKEN = [
    "correct zebra lantern staple",
    "purple monkey dishwasher",
    "we walk by the river",
    "two small birds",
    "my dog eats cake",
    "seven green bottles",
    "i like green tea",
    "blue coffee mug 7",
    "coffee at midnight",
    "the cat sat on the mat",
    "Winter is coming!",
    "grandma bakes apple pie",
    "london bridge fell",
    "super secret code",
    "vacation in greece",
    "walnut-tractor-ribbon",
    "WALNUT TRACTOR RIBBON",
    "walnuttractorribbon",
    "Tr0ub4dor&3xyz",
    "xK9#mQ2!vLp7",
    "kfj3-sdk9-wlqp",
    "bT7$wq9Lm2@x",
    "84736291057364",
    "    two small birds    ",
    "drei kleine V\u00f6gel",
    "\u0442\u0440\u0438 \u043c\u0430\u043b\u044b\u0445 \u043f\u0442\u0438\u0446\u044b",
    "\u5c71\u7530\u3055\u3093\u304c\u5ddd\u3067\u9b5a\u3092\u91e3\u308a\u307e\u3059",
    "\U0001f411\U0001f30b\U0001f9c0\U0001f335 are \U0001f40c\U0001f511\U0001f4a1\U0001f9f5",
    # Words of the context are no fault where enough is left without them.
    "jane likes battery staples",
    "pilgrim on the long road",
    "authreset tastes like wet walnuts",
    # The longest allowed, and far longer than what is estimated.
    "walnut tractor ribbon " * 11 + "marmalade 7781",
]  # fmt: skip

REFUSED = [
    ("", ["too_short"]),
    ("xK9#mQ2!vLp", ["too_short"]),
    ("Jane1234", ["too_short", "sequential", "context"]),
    ("e\u0301" * 3 + "xK9#mQ2!", ["too_short"]),
    ("x" + "walnut tractor ribbon " * 12, ["too_long"]),
    ("x" * 100_000, ["too_long"]),
    ("walnut\x00tractor ribbon", ["not_text"]),
    ("walnut\ttractor ribbon", ["not_text"]),
    ("walnut tractor ribbon\n", ["not_text"]),
    ("walnut tractor\u2028ribbon", ["not_text"]),
    ("walnut tractor ribbon\ud83d", ["not_text"]),
    ("walnut tractor ribbon\u0378", ["not_text"]),
    ("aaaaaaaaaaaa", ["repeated"]),
    ("AaAaAaAaAaAaA", ["repeated"]),
    ("abcabcabcabc", ["repeated"]),
    ("abcabcabcabca", ["repeated"]),
    ("hunter2hunter2", ["repeated"]),
    ("janejanejane", ["repeated", "context"]),
    ("\U0001f600" * 12, ["repeated"]),
    ("banana banana banana", ["repeated"]),
    ("123456789012", ["sequential"]),
    ("210987654321", ["sequential"]),
    ("abcdefghijklmnop", ["sequential"]),
    ("zyxwvutsrqpo", ["sequential"]),
    ("qwertyuiopas", ["sequential"]),
    ("QWERTZUIOP12", ["sequential"]),
    ("azertyuiop123", ["sequential"]),
    ("abcd1234qwer", ["sequential"]),
    ("aaaabbbbcccc1", ["sequential"]),
    ("11112222333344", ["sequential"]),
    ("jane.doe.2024!", ["context"]),
    ("JaneDoe-Secret", ["context"]),
    ("j4n3d03-2024!!", ["context"]),
    ("J.A.N.E.D.O.E-77", ["context"]),
    ("J\u00e1n\u00e9-Doe-2024!", ["context"]),
    ("Acme-Pay-2024!", ["context"]),
    ("@cm3p@y_2024!x", ["context"]),
    ("Pilgrimplanner1", ["context"]),
    ("pi1grimp1anner!", ["context"]),
    ("Pilgrim Planner Inc.", ["context"]),
    ("8CFEC329267-xyz", ["context"]),
    ("authreset2024", ["context"]),
    ("4uthr3s3t!2024", ["context"]),
    ("Auth-Reset-2024", ["context"]),
    ("correct horse battery staple", ["common"]),
    ("CorrectHorseBatteryStaple", ["common"]),
    ("c0rrect-h0rse-b4ttery-st4ple", ["common"]),
    ("correcthorsebatterystaple1!", ["common"]),
    ("thequickbrownfox", ["common"]),
    ("Password123456", ["common"]),
    ("P@ssw0rd2024!", ["common"]),
    ("Passw0rd!Passw0rd!", ["common"]),
    ("iloveyou1234", ["common"]),
    ("changeme12345", ["common"]),
    ("Welcome12345!", ["common"]),
    ("football1234", ["common"]),
    ("manchesterunited", ["common"]),
    ("mondaymorning", ["common"]),
    ("January2025!!", ["common"]),
    ("1qaz2wsx3edc", ["common"]),
    ("q1w2e3r4t5y6", ["common"]),
]


@pytest.mark.parametrize("password", TAKEN)
def test_takes_good_passwords(password: str) -> None:
    assert codes(password) == []


@pytest.mark.parametrize(("password", "expected"), REFUSED)
def test_refuses_weak_passwords(password: str, expected: list[str]) -> None:
    assert codes(password) == expected


def text_of(password: str, policy: PasswordPolicy = POLICY) -> str:
    (weakness,) = find_weaknesses(password, policy, JANE, strong)
    return weakness.text


@pytest.mark.parametrize(
    ("password", "text"),
    [
        ("ninechars", "Use at least 12 characters; this one has 9."),
        ("x" * 257, "Use at most 256 characters; this one has 257."),
        ("jane.doe.2024!", "5 characters remain without them, and 12 are needed."),
    ],
)
def test_tells_what_to_do(password: str, text: str) -> None:
    assert text_of(password).endswith(text)


@pytest.mark.parametrize(("password", "_expected"), REFUSED)
def test_never_repeats_the_password(password: str, _expected: list[str]) -> None:
    for weakness in find_weaknesses(password, POLICY, JANE, estimate_strength):
        assert len(password) < 3 or password not in repr(weakness)
    assert "jane" not in repr(JANE)


def test_code_points_are_counted_after_normalisation() -> None:
    policy = PasswordPolicy(minimum_length=8)
    assert codes("e\u0301\u00f1n\u0303\U0001f600kq7z", policy) == []
    assert text_of("e\u0301" * 2 + "\U0001f600kq7", policy).endswith("this one has 6.")


@pytest.mark.parametrize(
    ("typed", "normalised"),
    [
        ("e\u0301", "\u00e9"),
        ("\u00e9", "\u00e9"),
        ("\u212b", "\u00c5"),
        ("\uff21\u00b2\ufb01", "\uff21\u00b2\ufb01"),
        ("a b ", "a b "),
        ("A\ud800", "A\ud800"),
    ],
)
def test_normalise_password(typed: str, normalised: str) -> None:
    assert normalise_password(typed) == normalised


@given(st.text())
def test_canonically_equal_passwords_are_one(text: str) -> None:
    normalised = normalise_password(text)
    assert normalise_password(normalised) == normalised
    assert normalise_password(unicodedata.normalize("NFD", text)) == normalised


@given(st.text(st.characters(codec=None), max_size=300), st.lists(st.text(max_size=30), max_size=4))
def test_any_text_gets_a_verdict(password: str, words: list[str]) -> None:
    found = find_weaknesses(password, POLICY, PasswordContext(tuple(words)), estimate_strength)
    if not found:
        assert 12 <= len(normalise_password(password)) <= 256
        normalise_password(password).encode()


@given(st.text("abcdefghjkmnpqrtuvwxyz23456789ABCDEFGHJKMNPQRTUVWXYZ", min_size=20, max_size=64))
def test_no_class_of_characters_is_asked_for(password: str) -> None:
    verdict = find_weaknesses(password, POLICY, PasswordContext(), strong)
    swapped = find_weaknesses(password.lower(), POLICY, PasswordContext(), strong)
    assert [w.code for w in verdict] == [w.code for w in swapped]


def test_the_estimate_decides_last_and_alone() -> None:
    asked: list[tuple[str, Sequence[str]]] = []

    def estimate(password: str, words: Sequence[str]) -> Estimate:
        asked.append((password, words))
        return Estimate(ENOUGH_GUESSES_LOG10 - 0.1)

    assert find_weaknesses("too short", POLICY, JANE, estimate)
    assert find_weaknesses("aaaaaaaaaaaa", POLICY, JANE, estimate)
    assert asked == []
    (weakness,) = find_weaknesses("walnut tractor ribbo\u0308n", POLICY, JANE, estimate)
    assert weakness.code is WeaknessCode.COMMON
    ((password, words),) = asked
    assert password == "walnut tractor ribb\u00f6n"
    assert {"janedoe", "jane", "acmepay", "authreset"} <= set(words)


@pytest.mark.parametrize("password", ["kq7zX9mP", "9mTr#w2v", "hq8Zp4Kd"])
def test_random_characters_of_the_least_length_pass(password: str) -> None:
    assert codes(password, PasswordPolicy(minimum_length=8)) == []


def test_the_blocklist_is_the_operators_own() -> None:
    policy = PasswordPolicy(blocklist=frozenset({"walnut tractor ribbon", "rhubarbcustard"}))
    assert codes("Walnut Tractor Ribbon", policy) == ["common"]
    assert codes("Rhub4rb-Custard 2024!", policy) == ["common"]
    # The whole password is compared, not words in it.
    assert codes("rhubarb custard at midnight", policy) == []
    assert "common" not in codes("correct horse battery staple", policy)


@pytest.mark.parametrize("password", ["Rhubarb-2024", "rhub4rb_2024", "rhubarb2024"])
def test_digits_of_the_blocklist_count_as_they_stand(password: str) -> None:
    policy = PasswordPolicy(blocklist=frozenset({"rhubarb2024", "rhub4rb2024"}), minimum_length=8)
    assert [w.code for w in find_weaknesses(password, policy, JANE, strong)] == ["common"]


def test_a_reused_password_says_how_many_are_remembered() -> None:
    weakness = reused_password(PasswordPolicy(remembered=4))
    assert weakness == Weakness(
        WeaknessCode.REUSED, "Choose a password that is not among your last 4."
    )


@pytest.mark.parametrize(("minimum", "taken"), [(7, False), (8, True), (64, True), (65, False)])
def test_the_minimum_length_has_bounds(minimum: int, taken: bool) -> None:
    if taken:
        assert PasswordPolicy(minimum_length=minimum).minimum_length == minimum
    else:
        with pytest.raises(ValueError, match="minimum length from 8 to 64"):
            PasswordPolicy(minimum_length=minimum)


@pytest.mark.parametrize(("maximum", "remembered"), [(63, 4), (1025, 4), (256, -1)])
def test_a_policy_that_makes_no_sense_is_refused(maximum: int, remembered: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        PasswordPolicy(maximum_length=maximum, remembered=remembered)
