"""What a letter is composed from: rows and configured addresses, and nothing of any request."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authreset.flows.compose_letter import Composition, Uncomposable, compose_letter
from authreset.mail.letters import Envelope, PasswordChangedLetter, ResetLetter
from authreset.rules.keyrings import KeyRing, SecretKey
from authreset.rules.outcomes import EntityType, Template
from authreset.rules.tenancy import EntityRef, EntitySettings
from authreset.rules.tokens import derive_reset_token
from authreset.store.entities import EntityProfile
from authreset.store.letters import NewLetter
from authreset.store.resets import Reset
from tests.flows.processing import ACTIVE, KEYS
from tests.support.databases import START

COMPOSITION = Composition(KEYS, "https://accounts.example.com", "Accounts <no-reply@example.com>")
SHOP = EntityRef(2, EntityType.PAYPOINT, "8cfec329267", 1, "/1/2/")
PROFILE = EntityProfile(SHOP, "Shop", EntitySettings())
RESET = Reset(
    id=UUID(int=7),
    user_id=1,
    entity_id=2,
    token_digest=b"",
    key_id=KEYS.current.id,
    lifetime_seconds=3600,
    created_at=START,
    deadline_at=START + timedelta(hours=24),
)
ROW = NewLetter(
    id=UUID(int=8),
    template=Template.RESET,
    user_id=1,
    root_id=1,
    entity_id=2,
    recipient=ACTIVE,
    created_at=START,
    reset_id=RESET.id,
    client_address="203.0.113.7",
)


def profile(**settings: str) -> EntityProfile:
    return replace(PROFILE, settings=EntitySettings(**settings))


def compose(row=ROW, of=PROFILE, reset=RESET, composition=COMPOSITION) -> Envelope:
    envelope = compose_letter(row, of, reset, composition)
    assert isinstance(envelope, Envelope)
    return envelope


def link(**given) -> str:
    letter = compose(**given).letter
    assert isinstance(letter, ResetLetter)
    return letter.link


def test_link_is_the_base_and_the_derived_token():
    token = derive_reset_token(RESET.id, KEYS.current)
    assert link() == f"https://accounts.example.com/reset/{token}"


def test_link_starts_with_the_nodes_own_base_where_it_has_one():
    own = profile(public_url="https://login.pilgrim.example")
    assert link(of=own).startswith("https://login.pilgrim.example/reset/r.")


def test_same_rows_give_the_same_letter():
    assert compose() == compose()


@given(st.text())
def test_client_address_never_reaches_the_link(address):
    assert link(row=replace(ROW, client_address=address)) == link()


@pytest.mark.parametrize(
    ("settings", "name", "address"),
    [
        ({}, "Accounts", "no-reply@example.com"),
        ({"brand_name": "Pilgrim"}, "Pilgrim", "no-reply@example.com"),
        ({"brand_name": "Pilgrim", "sender_name": "Desk"}, "Desk", "no-reply@example.com"),
        ({"sender_address": "desk@pilgrim.example"}, "Accounts", "desk@pilgrim.example"),
    ],
)
def test_sender_is_the_nearest_word_about_it(settings, name, address):
    envelope = compose(of=profile(**settings))
    assert (envelope.sender_name, envelope.sender_address) == (name, address)


def test_brand_is_the_nodes_name_where_nothing_is_set():
    assert compose().brand.name == "Shop"


def test_letter_tells_its_lifetime():
    letter = compose(reset=replace(RESET, lifetime_seconds=900)).letter
    assert isinstance(letter, ResetLetter)
    assert letter.lifetime == timedelta(minutes=15)


def test_notice_leads_to_the_page_of_its_entry_and_holds_no_token():
    odd = replace(PROFILE, ref=replace(SHOP, entry="a b&c/d"))
    letter = compose(row=replace(ROW, template=Template.PASSWORD_CHANGED), of=odd).letter
    assert isinstance(letter, PasswordChangedLetter)
    assert letter.forgot_url == "https://accounts.example.com/forgot?entry=a%20b%26c%2Fd"


def test_letter_whose_reset_is_gone_cannot_be_written():
    assert isinstance(compose_letter(ROW, PROFILE, None, COMPOSITION), Uncomposable)


def test_letter_whose_key_was_retired_cannot_be_written():
    others = replace(COMPOSITION, keyring=KeyRing([SecretKey(b"quite another key of 32 bytes, +")]))
    outcome = compose_letter(ROW, PROFILE, RESET, others)
    assert isinstance(outcome, Uncomposable)
    assert "secret key" in outcome.reason


def test_nothing_secret_shows_in_a_repr():
    token = derive_reset_token(RESET.id, KEYS.current)
    shown = repr(compose()) + repr(KEYS.current)
    assert token not in shown
    assert ACTIVE not in shown
