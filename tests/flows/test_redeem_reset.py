"""A link sets one password, once, and everything that a new password entails follows with it."""

import asyncio
from collections import Counter

import pytest

from authreset.flows.inspect_reset import LinkOver
from authreset.flows.judge_password import Weak
from authreset.flows.redeem_reset import Redeemed
from authreset.hashing import HashingBusy
from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import ResetEnd, Template
from authreset.rules.passwords import WeaknessCode
from authreset.rules.tokens import TokenKind, digest_token, new_token
from authreset.store.database import Database
from authreset.store.entities import change_settings
from authreset.store.events import list_user_events
from authreset.store.letters import list_user_letters
from tests.support.databases import EMAILS
from tests.support.recovery import CLIENT, NEW, OLD, MeanwhileHasher, Recovery

PARALLEL = 64


def passphrase(number: int) -> str:
    return f"eleven kites above meadow number {number}"


async def test_sets_the_password(recovery: Recovery):
    token, reset = await recovery.make_link()

    outcome = await recovery.redeem()(token, NEW, CLIENT)

    assert isinstance(outcome, Redeemed)
    assert outcome.profile.ref == recovery.tree.shop
    assert await recovery.has_password(NEW)
    assert not await recovery.has_password(OLD)
    assert (await recovery.load_reset(reset)).end_reason == ResetEnd.USED


async def test_ends_every_session_of_this_user_only(recovery: Recovery):
    token, _ = await recovery.make_link()
    mine = [await recovery.open_session() for _ in range(3)]
    others = await recovery.open_session(recovery.tree.stranger)

    await recovery.redeem()(token, NEW, CLIENT)

    assert [await recovery.has_session(one) for one in mine] == [False, False, False]
    assert await recovery.has_session(others)


async def test_queues_the_notice_and_writes_the_event_without_a_secret(recovery: Recovery):
    token, reset = await recovery.make_link()
    await recovery.open_session()

    await recovery.redeem()(token, NEW, CLIENT)

    async with recovery.database.read() as tx:
        (letter,) = await list_user_letters(tx, recovery.user_id)
        (event,) = await list_user_events(tx, recovery.user_id)
    assert letter["template"] == Template.PASSWORD_CHANGED
    assert letter["recipient"] == EMAILS[UserStatus.ACTIVE]
    assert letter["client_address"] == CLIENT
    assert letter["reset_id"] is None
    assert (event.kind, event.subject_id) == ("password.changed", str(reset.id))
    assert event.details["sessions_ended"] == 1
    assert NEW not in repr(event)
    assert token not in repr(event)


async def test_wakes_the_worker_for_the_notice(recovery: Recovery):
    token, _ = await recovery.make_link()
    wake = asyncio.Event()

    async with recovery.database.wakeups.listening(wake):
        if recovery.database.is_postgres:
            await asyncio.wait_for(wake.wait(), 5)  # once for having begun to listen
        wake.clear()
        await recovery.redeem()(token, NEW, CLIENT)
        await asyncio.wait_for(wake.wait(), 5)


async def test_works_once(recovery: Recovery):
    token, _ = await recovery.make_link()
    await recovery.redeem()(token, NEW, CLIENT)

    again = await recovery.redeem()(token, passphrase(2), CLIENT)

    assert isinstance(again, LinkOver)
    assert await recovery.has_password(NEW)


async def test_a_refused_password_burns_nothing(recovery: Recovery):
    token, _ = await recovery.make_link()
    session = await recovery.open_session()

    refused = await recovery.redeem()(token, "short", CLIENT)

    assert isinstance(refused, Weak)
    assert refused.weaknesses[0].code is WeaknessCode.TOO_SHORT
    assert await recovery.has_session(session)
    assert isinstance(await recovery.redeem()(token, NEW, CLIENT), Redeemed)


async def test_the_last_four_passwords_may_not_come_back(recovery: Recovery):
    for number in range(1, 5):
        token, _ = await recovery.make_link()
        assert isinstance(await recovery.redeem()(token, passphrase(number), CLIENT), Redeemed)

    token, _ = await recovery.make_link()
    for number in range(1, 5):
        refused = await recovery.redeem()(token, passphrase(number), CLIENT)
        assert isinstance(refused, Weak)
        assert [one.code for one in refused.weaknesses] == [WeaknessCode.REUSED]

    assert isinstance(await recovery.redeem()(token, OLD, CLIENT), Redeemed)  # the fifth may


async def test_the_least_length_is_inherited(recovery: Recovery):
    async with recovery.database.begin() as tx:
        await change_settings(tx, recovery.tree.sub.id, {"password_minimum": 40})
    strict, _ = await recovery.make_link(entity=recovery.tree.stall)

    assert isinstance(await recovery.redeem()(strict, NEW, CLIENT), Weak)


async def test_a_locked_user_is_unlocked(recovery: Recovery):
    locked = recovery.tree.users[UserStatus.LOCKED]
    await recovery.change_user(locked, failed_logins=10)
    token, _ = await recovery.make_link(locked)

    assert isinstance(await recovery.redeem()(token, NEW, CLIENT), Redeemed)

    user = await recovery.load_user(locked)
    assert (user.status, user.failed_logins, user.locked_until) == (UserStatus.ACTIVE, 0, None)


@pytest.mark.parametrize("status", [UserStatus.INACTIVE, UserStatus.DELETED])
async def test_nobody_is_revived(recovery: Recovery, status: UserStatus):
    token, _ = await recovery.make_link(recovery.tree.users[status])

    assert isinstance(await recovery.redeem()(token, NEW, CLIENT), LinkOver)

    assert await recovery.has_password(OLD, recovery.tree.users[status])


async def test_an_expired_link_is_over(recovery: Recovery):
    token, _ = await recovery.make_link()
    recovery.clock.advance(minutes=60)

    assert isinstance(await recovery.redeem()(token, NEW, CLIENT), LinkOver)
    assert await recovery.has_password(OLD)


async def test_of_many_at_once_one_wins_and_its_password_counts(
    recovery: Recovery, another: Database
):
    token, _ = await recovery.make_link()
    flows = (recovery.redeem(), recovery.redeem(another))

    outcomes = await asyncio.gather(
        *(flows[n % 2](token, passphrase(n), CLIENT) for n in range(PARALLEL))
    )

    winners = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Redeemed)]
    assert len(winners) == 1
    assert Counter(map(type, outcomes)) == {Redeemed: 1, LinkOver: PARALLEL - 1}
    assert await recovery.has_password(passphrase(winners[0]))
    async with recovery.database.read() as tx:
        assert len(await list_user_letters(tx, recovery.user_id)) == 1


async def test_a_user_deactivated_meanwhile_gets_no_password(
    recovery: Recovery, interrupted: MeanwhileHasher
):
    token, reset = await recovery.make_link()
    interrupted.meanwhile = lambda: recovery.change_user(status=int(UserStatus.INACTIVE))

    assert isinstance(await recovery.redeem()(token, NEW, CLIENT), LinkOver)

    assert not await recovery.has_password(NEW)
    assert (await recovery.load_reset(reset)).ended_at is None


async def test_a_link_that_runs_out_meanwhile_sets_nothing(
    recovery: Recovery, interrupted: MeanwhileHasher
):
    token, _ = await recovery.make_link()

    async def run_out() -> None:
        recovery.clock.advance(minutes=60)

    interrupted.meanwhile = run_out

    assert isinstance(await recovery.redeem()(token, NEW, CLIENT), LinkOver)
    assert not await recovery.has_password(NEW)


async def test_only_reset_tokens_are_taken(recovery: Recovery):
    session = await recovery.open_session()
    unknown = new_token(TokenKind.RESET, recovery.keyring, recovery.random_bytes)

    for token in (session, unknown, digest_token(unknown).hex(), ""):
        assert isinstance(await recovery.redeem()(token, NEW, CLIENT), LinkOver)
    assert await recovery.has_password(OLD)


async def test_a_full_queue_of_hashes_burns_nothing(
    recovery: Recovery, interrupted: MeanwhileHasher
):
    token, _ = await recovery.make_link()

    async def be_full() -> None:
        raise HashingBusy

    interrupted.meanwhile = be_full

    with pytest.raises(HashingBusy):
        await recovery.redeem()(token, NEW, CLIENT)
    assert isinstance(await recovery.redeem()(token, NEW, CLIENT), Redeemed)
