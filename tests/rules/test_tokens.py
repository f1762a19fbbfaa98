"""Token forms: what is made is read, what is not ours is refused, nothing has two spellings."""

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authreset.rules.keyrings import KeyRing, SecretKey
from authreset.rules.tokens import (
    TOKEN_LENGTH,
    TokenKind,
    derive_demo_token,
    derive_reset_token,
    digest_token,
    new_token,
    read_kind,
)

KEY = SecretKey(b"k" * 32)
OTHER_KEY = SecretKey(b"o" * 32)
RING = KeyRing([KEY])
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

secrets = st.binary(min_size=24, max_size=24)
kinds = st.sampled_from(TokenKind)


def make(kind: TokenKind, secret: bytes, ring: KeyRing = RING) -> str:
    return new_token(kind, ring, lambda count: secret[:count])


@given(kind=kinds, secret=secrets)
def test_a_token_is_read_as_what_it_is(kind: TokenKind, secret: bytes) -> None:
    token = make(kind, secret)
    assert read_kind(token, RING) is kind
    assert re.fullmatch(r"[oaur]\.[A-Za-z0-9_-]{44}", token)
    assert len(token) == TOKEN_LENGTH


def test_a_token_asks_for_192_bits_of_chance() -> None:
    asked: list[int] = []

    def record(count: int) -> bytes:
        asked.append(count)
        return b"r" * count

    new_token(TokenKind.SESSION, RING, record)
    assert [count * 8 for count in asked] == [192]


@given(kind=kinds, secret=secrets, data=st.data())
def test_one_changed_character_makes_it_nothing(
    kind: TokenKind, secret: bytes, data: st.DataObject
) -> None:
    token = make(kind, secret)
    at = data.draw(st.integers(2, TOKEN_LENGTH - 1))
    other = data.draw(st.sampled_from([one for one in ALPHABET + "+/=. \0é" if one != token[at]]))
    assert read_kind(token[:at] + other + token[at + 1 :], RING) is None


@given(kind=kinds, secret=secrets, wanted=kinds)
def test_a_token_cannot_pass_for_another_kind(
    kind: TokenKind, secret: bytes, wanted: TokenKind
) -> None:
    token = f"{wanted}{make(kind, secret)[1:]}"
    assert read_kind(token, RING) is (kind if wanted is kind else None)


@given(st.text(max_size=80))
def test_any_text_gets_an_answer(text: str) -> None:
    read_kind(text, RING)
    read_kind(f"o.{text}", RING)
    digest_token(text)


@given(st.binary(min_size=33, max_size=33))
def test_a_well_formed_guess_is_refused(raw: bytes) -> None:
    assert read_kind(f"o.{urlsafe_b64encode(raw).decode()}", RING) is None
    ours = KEY.id + raw[2:]
    assert read_kind(f"o.{urlsafe_b64encode(ours).decode()}", RING) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: "",
        lambda token: token[:2],
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: token + "\n",
        lambda token: " " + token,
        lambda token: token.upper(),
        lambda token: token[2:],
        lambda token: token.replace(".", ":"),
        lambda token: token[:2] + "=" * 44,
        lambda token: token[:2] + token[2:42] + "====",
        lambda token: token[:2] + "é" * 44,
        lambda token: token[:2] + "\ud800" * 44,
    ],
)
def test_other_forms_are_refused(spoil: object) -> None:
    token = make(TokenKind.ORGANIZATION, bytes(range(24)))
    assert read_kind(spoil(token), RING) is None  # type: ignore[operator]


def test_the_standard_alphabet_is_no_second_spelling() -> None:
    token = next(
        made
        for made in (make(TokenKind.ORGANIZATION, bytes([n]) * 24) for n in range(256))
        if "-" in made and "_" in made
    )
    assert read_kind(token, RING) is TokenKind.ORGANIZATION
    assert read_kind(token.replace("-", "+"), RING) is None
    assert read_kind(token.replace("_", "/"), RING) is None


def test_a_token_of_an_older_key_is_read_while_that_key_is_kept() -> None:
    old = make(TokenKind.SESSION, b"s" * 24, KeyRing([OTHER_KEY]))
    assert read_kind(old, KeyRing([KEY, OTHER_KEY])) is TokenKind.SESSION
    assert read_kind(old, RING) is None
    made = make(TokenKind.SESSION, b"s" * 24, KeyRing([KEY, OTHER_KEY]))
    assert read_kind(made, RING) is TokenKind.SESSION


def test_a_reset_has_one_token_for_good() -> None:
    """The value is what links in mails carry: another one would break those under way."""
    reset_id = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    token = derive_reset_token(reset_id, KEY)
    assert token == derive_reset_token(UUID(str(reset_id)), SecretKey(b"k" * 32))
    assert read_kind(token, RING) is TokenKind.RESET
    assert token == "r.Dch-p8DgZWB4RQPXbINZGOMq4JQEkPLr1goD_W9MmltB"
    assert token != derive_reset_token(UUID(int=reset_id.int + 1), KEY)
    assert token != derive_reset_token(reset_id, OTHER_KEY)


def test_a_derived_token_does_not_show_what_it_was_derived_from() -> None:
    reset_id = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    raw = urlsafe_b64decode(derive_reset_token(reset_id, KEY)[2:])
    assert reset_id.bytes not in raw
    assert KEY.material not in raw
    assert KEY.reset_key not in raw


def test_demo_tokens_differ_by_kind_and_name() -> None:
    made = {
        derive_demo_token(kind, name, KEY)
        for kind in (TokenKind.ORGANIZATION, TokenKind.APPLICATION)
        for name in ("a", "b")
    }
    assert len(made) == 4
    assert all(read_kind(token, RING) for token in made)
    assert derive_demo_token(TokenKind.ORGANIZATION, "a", KEY) in made


def test_what_is_stored_is_the_sha_256_of_the_text() -> None:
    token = make(TokenKind.RESET, b"x" * 24)
    assert digest_token(token) == hashlib.sha256(token.encode()).digest()
    assert digest_token("\ud800") == hashlib.sha256(b"?").digest()
