"""Addresses on the wire, and masked for everybody but their owner."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authreset.mail.addresses import mask_address, mask_addresses, wire_address


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("alice@example.com", "alice@example.com"),
        ("Alice.O'Neil+tag@Example.COM", "Alice.O'Neil+tag@Example.COM"),
        ("root@localhost", "root@localhost"),
        ("alice@b\u00fccher.example", "alice@xn--bcher-kva.example"),
        ("alice@stra\u00dfe.de", "alice@xn--strae-oqa.de"),
        ("\u00e5lice@example.com", "\u00e5lice@example.com"),
        ("\u00e5lice@b\u00fccher.de", "\u00e5lice@b\u00fccher.de"),
    ],
)
def test_wire_form_needs_smtputf8_only_for_the_local_part(address, wire):
    assert wire_address(address) == wire


@pytest.mark.parametrize(
    "address",
    [
        "",
        "alice",
        "@example.com",
        "alice@",
        "alice@@example.com",
        "a@b@c",
        ".alice@example.com",
        "a..b@example.com",
        '"a b"@example.com',
        "alice@example.com, eve@example.com",
        "alice@example.com\r\nBcc: eve@example.com",
        "alice@example.com\u2028",
        "al\x00ice@example.com",
        "Alice <alice@example.com>",
        "alice(comment)@example.com",
        "alice@[127.0.0.1]",
        "=?utf-8?q?x?=@example.com",
        "alice@example.com> SIZE=1",
        "\u202ealice@example.com",
        "\ud800@example.com",
        "alice@-\u00fc.de",
        "a" * 65 + "@example.com",
        "a@" + "b" * 256,
    ],
)
def test_anything_but_a_plain_address_is_refused_unquoted(address):
    with pytest.raises(ValueError, match="address") as refusal:
        wire_address(address)
    assert "alice" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("alice@example.com", "a***@example.com"),
        ("<Alice@Example.com>: no such user", "<a***@example.com>: no such user"),
        ("alice%40example.com", "a***@example.com"),
        ("from bob@x.org to alice@example.com,", "from b***@x.org to a***@example.com,"),
        ("no address here", "no address here"),
    ],
)
def test_text_keeps_no_full_address(text, masked):
    assert mask_addresses(text) == masked


@given(st.emails())
def test_mask_never_shows_more_than_one_character_of_the_local_part(address):
    local, _, domain = address.rpartition("@")
    assert mask_address(address) == f"{local[0]}***@{domain}"
    assert f"<{address}>".lower() not in mask_addresses(f"user <{address}> unknown").lower()
