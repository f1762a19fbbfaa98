"""Looking at a link: whose it is, when it is over, and that looking changes nothing."""

import pytest
from sqlalchemy import select

from authreset.flows.inspect_reset import InspectReset, LinkOver, LiveReset
from authreset.rules.keyrings import KeyRing, SecretKey
from authreset.rules.lockout import UserStatus
from authreset.rules.tokens import TokenKind, new_token
from authreset.store.database import StoreUnavailable
from authreset.store.entities import change_settings
from authreset.store.tables import metadata
from tests.support.databases import EMAILS, open_database
from tests.support.recovery import Recovery


async def everything(recovery: Recovery) -> list[object]:
    async with recovery.database.read() as tx:
        tables = sorted(metadata.tables.values(), key=lambda table: table.name)
        return [[tuple(row) for row in await tx.execute(select(table))] for table in tables]


async def test_tells_whose_link_it_is(recovery: Recovery):
    token, _ = await recovery.make_link()

    found = await recovery.redeem().inspect(token)

    assert isinstance(found, LiveReset)
    assert found.account_address == EMAILS[UserStatus.ACTIVE]
    assert found.profile.ref == recovery.tree.shop
    assert found.policy.minimum_length == 12
    assert found.account_address not in repr(found)


async def test_changes_nothing_however_often(recovery: Recovery):
    token, _ = await recovery.make_link()
    before = await everything(recovery)

    for _ in range(5):
        assert isinstance(await recovery.redeem().inspect(token), LiveReset)

    assert await everything(recovery) == before


async def test_asks_for_what_the_tree_says(recovery: Recovery):
    async with recovery.database.begin() as tx:
        await change_settings(tx, recovery.tree.sub.id, {"password_minimum": 20})
    token, _ = await recovery.make_link(entity=recovery.tree.stall)

    found = await recovery.redeem().inspect(token)

    assert isinstance(found, LiveReset)
    assert found.policy.minimum_length == 20


@pytest.mark.parametrize(("minutes", "works"), [(0, True), (59.9, True), (60, False), (61, False)])
async def test_is_over_when_its_time_is(recovery: Recovery, minutes: float, works: bool):
    token, _ = await recovery.make_link()
    recovery.clock.advance(minutes=minutes)

    found = await recovery.redeem().inspect(token)

    assert isinstance(found, LiveReset if works else LinkOver)
    assert found.profile is not None
    assert found.profile.ref == recovery.tree.shop


@pytest.mark.parametrize("status", [UserStatus.INACTIVE, UserStatus.DELETED])
async def test_is_over_when_the_user_is(recovery: Recovery, status: UserStatus):
    token, _ = await recovery.make_link()
    await recovery.change_user(status=int(status))

    assert isinstance(await recovery.redeem().inspect(token), LinkOver)


async def test_unknown_tokens_are_over(recovery: Recovery):
    unknown = new_token(TokenKind.RESET, recovery.keyring, recovery.random_bytes)

    assert await recovery.redeem().inspect(unknown) == LinkOver(None)


async def test_garbage_asks_no_database(recovery: Recovery, tmp_path):
    lost = open_database(f"sqlite:///{tmp_path}/nowhere/lost.db")
    inspect = InspectReset(
        database=lost, keyring=recovery.keyring, judge=recovery.judge(), clock=recovery.clock
    )
    stranger = KeyRing([SecretKey(bytes(32))])
    try:
        with pytest.raises(StoreUnavailable):  # the counter-proof: a well-formed one does ask
            await inspect(new_token(TokenKind.RESET, recovery.keyring, recovery.random_bytes))
        for garbage in ("", "r.", "r." + "A" * 44, "x" * 5000, "ÿ" * 46):
            assert await inspect(garbage) == LinkOver(None)
        for kind in (TokenKind.SESSION, TokenKind.APPLICATION):
            other = new_token(kind, recovery.keyring, recovery.random_bytes)
            assert await inspect(other) == LinkOver(None)
        foreign = new_token(TokenKind.RESET, stranger, recovery.random_bytes)
        assert await inspect(foreign) == LinkOver(None)
    finally:
        await lost.close()
