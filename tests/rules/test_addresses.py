"""Addresses: what is taken, what is refused, which are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authreset.rules.addresses import (
    address_key,
    has_unsafe_characters,
    is_address,
    is_plain_text,
    mailbox_key,
    mask_address,
)

LABEL_63 = "a" * 63
DOMAIN_253 = ".".join([LABEL_63, LABEL_63, LABEL_63, "a" * 57, "com"])

TAKEN = [
    "jane.doe@example.com",
    "a@b.co",
    "~test~@iana.org",
    "te+st'o!#$%&*/=?^_`{|}-@example.museum",
    "JANE@EXAMPLE.COM",
    "0@1.2.net",
    "x@xn--bcher-kva.example",
    "x@a-b.c--d.example",
    f"{'l' * 64}@example.com",
    f"x@{LABEL_63}.com",
    f"{'l' * 64}@{DOMAIN_253}",
    "jörg@example.com",
    "jörg@bücher.example",
    "\u7528\u6237@\u4f8b\u5b50.\u5e7f\u544a",
    "\u0434\u0438\u043c\u0430@\u043f\u043e\u0447\u0442\u0430.\u0440\u0444",
    "\u05d3\u05d5\u05d3@example.com",
    f"{'é' * 32}@example.com",
    "user@\u4f8b\u5b50\u3002\u5e7f\u544a",
    "\U0001f600@example.com",
]

REFUSED = [
    "",
    "@",
    "jane",
    "jane@",
    "@example.com",
    "jane@example",
    "jane@@example.com",
    "jane@doe@example.com",
    "jane doe@example.com",
    " jane@example.com",
    "jane@example.com ",
    "jane@example.com.",
    ".jane@example.com",
    "jane.@example.com",
    "ja..ne@example.com",
    "jane@.example.com",
    "jane@example..com",
    "jane@-example.com",
    "jane@example-.com",
    "jane@example.-com",
    "jane@example.com-",
    "jane@exa_mple.com",
    '"jane doe"@example.com',
    "jane(comment)@example.com",
    "Jane <jane@example.com>",
    "jane@[127.0.0.1]",
    "jane@[IPv6:::1]",
    "jane@127.0.0.1",
    "jane@example.123",
    "jane,joe@example.com",
    "jane;joe@example.com",
    "jane\\@example.com",
    "mailto:jane@example.com",
    "jane@example.com\n",
    "\njane@example.com",
    "jane\r\nBcc: joe@example.com",
    "jane\x00@example.com",
    "jane@exam\x7fple.com",
    "jane\x85@example.com",
    "jane\u2028@example.com",
    "jane@example.com\u2029",
    "jane\u00a0doe@example.com",
    "jane\u202eeod@example.com",
    "jane\u200b@example.com",
    "jane\u2066@bücher.example",
    "jane\ud800@example.com",
    "jane\udfff@bücher.example",
    "jane\ue000@example.com",
    "jane\u0378@example.com",
    "jane\uff20example.com",
    "jane\uff20doe@example.com",
    "jane\u2024.doe@example.com",
    "jane\u2024@example.com",
    "jané.@example.com",
    ".jané@example.com",
    "ja..né@example.com",
    "jané doe@example.com",
    "jané@example",
    "jane@bücher",
    "jane@bücher..example",
    "jane@-bücher.example",
    "jane@bücher-.example",
    "jane@bücher\u3002-bücher.example",
    "jane@bü_cher.example",
    "jane@bücher.example.",
    "jane@\u00ad.example",
    f"{'l' * 65}@example.com",
    f"{'é' * 33}@example.com",
    f"x@{LABEL_63}a.com",
    f"x@example.{LABEL_63}a",
    f"x@a{DOMAIN_253}",
    f"x@{'ü' * 64}.example",
    f"x@{'.'.join(['ü' * 50] * 5)}.example",
    "x" * 10_000 + "@example.com",
]


@pytest.mark.parametrize("text", TAKEN)
def test_takes_addresses(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize("text", REFUSED)
def test_refuses_what_is_no_address(text: str) -> None:
    assert not is_address(text)


@given(st.emails())
def test_takes_what_the_format_email_generates(text: str) -> None:
    assert is_address(text)


@given(st.text(max_size=400))
def test_never_raises_and_stays_in_bounds(text: str) -> None:
    if is_address(text):
        assert len(text) <= 320
        assert text.count("@") == 1
        assert text.isprintable()
        assert not has_unsafe_characters(text)


@given(st.emails(), st.characters(categories=["Cc", "Cf", "Cs", "Zs", "Zl", "Zp"]), st.data())
def test_refuses_an_invisible_character_anywhere(
    address: str, character: str, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(address)))
    assert not is_address(address[:place] + character + address[place:])


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("Jane.Doe@Example.COM", "jane.doe@example.com"),
        ("jane+tag@example.com", "jane+tag@example.com"),
        ("JÖRG@Bücher.Example", "jörg@xn--bcher-kva.example"),
        ("jo\u0308rg@bu\u0308cher.example", "jörg@xn--bcher-kva.example"),
        ("x@XN--BCHER-KVA.example", "x@xn--bcher-kva.example"),
        ("\uff4aane@example.com", "jane@example.com"),
        ("\u1d2cnn@example.com", "ann@example.com"),
        ("stra\u00dfe@fa\u00df.example", "strasse@fass.example"),
        ("user@\u4f8b\u5b50\u3002example", "user@xn--fsqu00a.example"),
        ("not an address", "not an address"),
    ],
)
def test_address_key(address: str, key: str) -> None:
    assert address_key(address) == key


WIDE_ADDRESSES = st.builds(
    "{}@{}.{}".format,
    st.text(st.characters(categories=["L", "M", "N", "S", "Po"]), min_size=1, max_size=20),
    st.text(st.characters(categories=["L", "M", "N"]), min_size=1, max_size=12),
    st.sampled_from(["com", "\u0440\u0444", "\u5e7f\u544a"]),
)


@given(st.one_of(st.emails(), WIDE_ADDRESSES, st.text()))
def test_keys_are_idempotent(text: str) -> None:
    assert address_key(address_key(text)) == address_key(text)
    assert mailbox_key(mailbox_key(text)) == mailbox_key(text)


@given(st.one_of(st.emails(), WIDE_ADDRESSES))
def test_the_key_of_an_address_is_one_and_ignores_case(address: str) -> None:
    if is_address(address):
        assert is_address(address_key(address))
        assert address_key(address.casefold()) == address_key(address)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("Jane+1@example.com", "jane@example.com"),
        ("jane+a+b@example.com", "jane@example.com"),
        ("j.a.n.e@example.com", "j.a.n.e@example.com"),
        ("j.a.n.e+news@gmail.com", "jane@gmail.com"),
        ("J.ane@GoogleMail.com", "jane@gmail.com"),
        ("jane@notgmail.com", "jane@notgmail.com"),
        ("j.ane@gmail.com.example", "j.ane@gmail.com.example"),
        ("+tag@example.com", "+tag@example.com"),
        ("jané+x@bücher.example", "jané@xn--bcher-kva.example"),
    ],
)
def test_mailbox_key(address: str, key: str) -> None:
    assert mailbox_key(address) == key


@pytest.mark.parametrize(
    ("address", "mask"),
    [
        ("jane.doe@example.com", "j…@e….com"),
        ("jane@mail.example.co.uk", "j…@m….uk"),
        ("jörg@bücher.example", "j…@x….example"),
        ("user@\u4f8b\u5b50\u3002com", "u…@x….com"),
        ("jane", "…"),
        ("jane\n@example.com", "…"),
        ("", "…"),
    ],
)
def test_mask_address(address: str, mask: str) -> None:
    assert mask_address(address) == mask


@given(st.emails())
def test_a_mask_tells_two_letters_and_the_top_level(address: str) -> None:
    local, _, domain = address.lower().rpartition("@")
    assert mask_address(address) == f"{local[0]}…@{domain[0]}….{domain.rpartition('.')[2]}"


@pytest.mark.parametrize("text", ["", "8cfec329267", "Caf\u00e9 & Co.", "a\u200db", "\U0001f600"])
def test_plain_text(text: str) -> None:
    assert is_plain_text(text)


@pytest.mark.parametrize(
    "character",
    list("\x00\x01\t\n\v\f\r\x1b\x1f\x7f\x80\x85\x9f\u2028\u2029\u202e\u2066\ud800\udfff"),
)
def test_text_with_unsafe_characters(character: str) -> None:
    for text in (character, f"a{character}b", f"é{character}"):
        assert has_unsafe_characters(text)
        assert not is_plain_text(text)
