"""Keys: each use has its own, none shows in a repr, two that look alike are refused."""

import hashlib
import hmac

import pytest

from authreset.rules.keyrings import KeyRing, KeyTooShort, SecretKey

KEY = SecretKey(b"k" * 32)
OTHER = SecretKey(b"o" * 32)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(KeyTooShort):
        SecretKey(b"k" * 31)
    assert SecretKey(b"k" * 32)


def test_each_use_has_a_key_of_its_own() -> None:
    derived = {KEY.check_key, KEY.reset_key, KEY.mailbox_key, KEY.demo_key}
    assert len(derived) == 4
    assert all(len(one) == 32 for one in derived)
    assert KEY.material not in derived


def test_derived_keys_stay_what_they_are() -> None:
    """Links under way and counted mailboxes hang on them, across versions."""
    assert KEY.reset_key == hmac.digest(b"k" * 32, b"authreset\0reset token", "sha256")
    assert KEY.check_key == hmac.digest(b"k" * 32, b"authreset\0token check", "sha256")
    assert KEY.mailbox_key == hmac.digest(b"k" * 32, b"authreset\0mailbox digest", "sha256")
    assert KEY.id == hashlib.sha256(b"authreset key id\0" + b"k" * 32).digest()[:2]


def test_a_key_shows_nothing_of_itself() -> None:
    ring = KeyRing([KEY])
    for shown in (repr(KEY), str(KEY), repr(ring), f"{KEY!r:>10}"):
        assert "kkk" not in shown
        assert KEY.reset_key.hex() not in shown
    assert str(KeyTooShort()).startswith("a secret key needs at least 32 bytes")


def test_the_first_key_is_the_current_one_and_all_are_found() -> None:
    ring = KeyRing([KEY, OTHER])
    assert ring.current is KEY
    assert ring.find(OTHER.id) is OTHER
    assert ring.find(b"zz") is None
    assert len(ring) == 2


def test_two_keys_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="same key id"):
        KeyRing([KEY, SecretKey(b"k" * 32)])


def test_no_key_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        KeyRing([])


def test_a_mailbox_digest_depends_on_mailbox_and_current_key() -> None:
    ring = KeyRing([KEY, OTHER])
    digest = ring.mailbox_digest("a@example.com")
    assert digest == KeyRing([KEY]).mailbox_digest("a@example.com")
    assert digest != ring.mailbox_digest("b@example.com")
    assert digest != KeyRing([OTHER, KEY]).mailbox_digest("a@example.com")
    assert len(digest) == 32
    assert len(ring.mailbox_digest("\ud800@example.com")) == 32
