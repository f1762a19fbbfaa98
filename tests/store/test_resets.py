"""Resets: at most one live one a user, redeemed once, whoever tries at the same time."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import ResetEnd
from authreset.store.database import Database
from authreset.store.resets import (
    Reset,
    add_resets,
    claim_reset,
    end_resets,
    find_reset_by_digest,
    find_resets,
    find_unended_resets,
    list_user_resets,
    start_lifetimes,
)
from tests.support.databases import START, SeededBytes, Tree, new_reset


@pytest.fixture
async def reset(database: Database, tree: Tree, random_bytes: SeededBytes) -> Reset:
    made = new_reset(random_bytes, tree.users[UserStatus.ACTIVE], tree.shop)
    async with database.begin() as tx:
        await add_resets(tx, [made])
    return made


async def test_a_reset_comes_back_as_it_was_stored(database: Database, reset: Reset) -> None:
    async with database.read() as tx:
        assert await find_reset_by_digest(tx, reset.token_digest) == reset
        assert await find_reset_by_digest(tx, b"unknown") is None
        assert await find_resets(tx, [reset.id]) == {reset.id: reset}
        assert await find_unended_resets(tx, [reset.user_id]) == {reset.user_id: reset}
        assert await find_unended_resets(tx, []) == {}


async def test_the_database_refuses_a_second_live_reset_of_a_user(
    database: Database, tree: Tree, reset: Reset, random_bytes: SeededBytes
) -> None:
    with pytest.raises(IntegrityError):
        async with database.begin() as tx:
            await add_resets(tx, [new_reset(random_bytes, reset.user_id, tree.shop)])
    async with database.begin() as tx:
        await add_resets(tx, [new_reset(random_bytes, tree.stranger, tree.other)])


async def test_after_an_ended_one_there_may_be_another(
    database: Database, tree: Tree, reset: Reset, random_bytes: SeededBytes
) -> None:
    later = START + timedelta(minutes=1)
    second = new_reset(random_bytes, reset.user_id, tree.shop, now=later)
    async with database.begin() as tx:
        assert await end_resets(tx, [reset.user_id], ResetEnd.EXPIRED, later) == 1
        assert await end_resets(tx, [reset.user_id], ResetEnd.EXPIRED, later) == 0
        await add_resets(tx, [second])
        assert await find_unended_resets(tx, [reset.user_id]) == {reset.user_id: second}
        first, _ = await list_user_resets(tx, reset.user_id)
    assert first == replace(reset, ended_at=later, end_reason="expired")


async def test_of_many_who_claim_at_once_exactly_one_wins(
    database: Database, another: Database, reset: Reset
) -> None:
    async def claim(db: Database) -> Reset | None:
        async with db.begin() as tx:
            return await claim_reset(tx, reset.token_digest, START)

    # A pool that is too small for them all would answer some with "try later".
    gate = asyncio.Semaphore(16)

    async def queue(db: Database) -> Reset | None:
        async with gate:
            return await claim(db)

    claimed = await asyncio.gather(*(queue((database, another)[n % 2]) for n in range(64)))
    won = [one for one in claimed if one is not None]
    assert won == [replace(reset, ended_at=START, end_reason="used")]


async def test_a_rolled_back_claim_leaves_the_link_alive(database: Database, reset: Reset) -> None:
    async with database.begin() as tx:
        assert await claim_reset(tx, reset.token_digest, START) is not None
        await tx.rollback()
    async with database.begin() as tx:
        assert await claim_reset(tx, reset.token_digest, START) is not None


@pytest.mark.parametrize(
    ("minutes", "is_claimed"),
    [(0, True), (60, True), (60 + 59, True), (60 + 60, False), (24 * 60, False)],
)
async def test_a_lifetime_counts_from_the_accepted_mail(
    database: Database, reset: Reset, minutes: int, is_claimed: bool
) -> None:
    accepted_at, now = START + timedelta(minutes=60), START + timedelta(minutes=minutes)
    async with database.begin() as tx:
        await start_lifetimes(tx, [(reset, accepted_at)])
        found = await find_reset_by_digest(tx, reset.token_digest)
        assert found is not None
        assert found.is_live(now) is is_claimed
        assert (await claim_reset(tx, reset.token_digest, now) is not None) is is_claimed


async def test_without_an_accepted_mail_only_the_deadline_counts(
    database: Database, reset: Reset
) -> None:
    async with database.begin() as tx:
        assert await claim_reset(tx, reset.token_digest, START + timedelta(hours=24)) is None
        late = START + timedelta(hours=24) - timedelta(microseconds=1)
        assert await claim_reset(tx, reset.token_digest, late) is not None


async def test_an_accepted_repeat_renews_the_lifetime_up_to_the_deadline(
    database: Database, reset: Reset
) -> None:
    async with database.begin() as tx:
        for hours, expires in ((1, 2), (5, 6), (23.5, 24)):
            await start_lifetimes(tx, [(reset, START + timedelta(hours=hours))])
            found = await find_reset_by_digest(tx, reset.token_digest)
            assert found is not None
            assert found.expires_at == START + timedelta(hours=expires)


async def test_an_ended_reset_gets_no_new_lifetime(database: Database, reset: Reset) -> None:
    async with database.begin() as tx:
        await end_resets(tx, [reset.user_id], ResetEnd.STATUS_CHANGED, START)
        await start_lifetimes(tx, [(reset, START)])
        found = await find_reset_by_digest(tx, reset.token_digest)
        assert found is not None
        assert (found.expires_at, found.end_reason) == (None, "status_changed")
        assert await claim_reset(tx, reset.token_digest, START) is None
