"""The development mailbox: letters rendered anew, with the link that the mail would have."""

from uuid import uuid4

import pytest
from sqlalchemy import select

from authreset.flows.compose_letter import Composition
from authreset.flows.show_letters import ShowLetters
from authreset.rules.keyrings import KeyRing, SecretKey
from authreset.rules.outcomes import Template
from authreset.store.letters import NewLetter, add_letters
from authreset.store.resets import Reset
from authreset.store.tables import metadata
from tests.support.databases import EMAILS, UserStatus
from tests.support.recovery import CLIENT, NEW, Recovery

PUBLIC_URL = "https://accounts.example.com"
MAIL_FROM = "Accounts <no-reply@example.com>"


def show_with(recovery: Recovery, keyring: KeyRing) -> ShowLetters:
    composition = Composition(keyring, PUBLIC_URL, MAIL_FROM)
    return ShowLetters(database=recovery.database, composition=composition)


@pytest.fixture
def show(recovery: Recovery) -> ShowLetters:
    return show_with(recovery, recovery.keyring)


async def queue_link(recovery: Recovery) -> tuple[str, Reset]:
    token, reset = await recovery.make_link()
    letter = NewLetter(
        id=recovery.random_bytes.uuid(), template=Template.RESET, user_id=recovery.user_id,
        root_id=recovery.tree.root.id, entity_id=recovery.tree.shop.id,
        recipient=EMAILS[UserStatus.ACTIVE], created_at=recovery.clock(), reset_id=reset.id,
    )  # fmt: skip
    async with recovery.database.begin() as tx:
        await add_letters(tx, [letter])
    return token, reset


async def test_the_link_works_and_is_stored_nowhere(recovery: Recovery, show: ShowLetters):
    token, _ = await queue_link(recovery)

    (letter,) = await show()

    assert f"{PUBLIC_URL}/reset/{token}" in letter.text
    assert letter.html is not None
    assert token in letter.html
    assert (letter.recipient, letter.state) == (EMAILS[UserStatus.ACTIVE], "queued")
    assert token not in repr(letter)
    async with recovery.database.read() as tx:
        for table in metadata.sorted_tables:
            for row in await tx.execute(select(table)):
                assert token not in repr(tuple(row))


async def test_newest_first_each_by_its_id(recovery: Recovery, show: ShowLetters):
    token, _ = await queue_link(recovery)
    recovery.clock.advance(minutes=1)
    await recovery.redeem()(token, NEW, CLIENT)

    letters = await show()

    assert [one.template for one in letters] == [Template.PASSWORD_CHANGED, Template.RESET]
    assert [await show.find(one.id) for one in letters] == letters
    assert await show.find(uuid4()) is None


async def test_a_letter_whose_key_is_retired_says_so(recovery: Recovery):
    await queue_link(recovery)

    (letter,) = await show_with(recovery, KeyRing([SecretKey(bytes(32))]))()

    assert "no longer configured" in letter.text
    assert letter.html is None
