"""A new password from within a session ends all that was open before it."""

from authreset.flows.authenticate import UNAUTHORIZED, UserCaller
from authreset.flows.change_password import PASSWORD_CHANGED
from authreset.flows.judge_password import Weak
from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import ResetEnd, Template
from authreset.rules.tokens import digest_token
from authreset.store.letters import list_user_letters
from authreset.store.sessions import delete_user_sessions
from tests.support.recovery import CLIENT, NEW, OLD, MeanwhileHasher, Recovery


async def caller_of(recovery: Recovery, token: str) -> UserCaller:
    return UserCaller(recovery.user_id, recovery.tree.shop, digest_token(token))


async def test_sets_the_password_and_ends_sessions_and_links(recovery: Recovery):
    token, other = await recovery.open_session(), await recovery.open_session()
    _, reset = await recovery.make_link()

    outcome = await recovery.change()(await caller_of(recovery, token), NEW, CLIENT)

    assert outcome is PASSWORD_CHANGED
    assert await recovery.has_password(NEW)
    assert not await recovery.has_session(token)
    assert not await recovery.has_session(other)
    assert (await recovery.load_reset(reset)).end_reason == ResetEnd.PASSWORD_CHANGED
    async with recovery.database.read() as tx:
        (letter,) = await list_user_letters(tx, recovery.user_id)
    assert letter["template"] == Template.PASSWORD_CHANGED


async def test_a_refused_password_changes_nothing(recovery: Recovery):
    token = await recovery.open_session()
    _, reset = await recovery.make_link()

    for weak in ("short", OLD):
        outcome = await recovery.change()(await caller_of(recovery, token), weak, CLIENT)
        assert isinstance(outcome, Weak)

    assert await recovery.has_session(token)
    assert (await recovery.load_reset(reset)).ended_at is None


async def test_a_session_that_ends_meanwhile_sets_nothing(
    recovery: Recovery, interrupted: MeanwhileHasher
):
    caller = await caller_of(recovery, await recovery.open_session())

    async def end_sessions() -> None:
        async with recovery.database.begin() as tx:
            await delete_user_sessions(tx, recovery.user_id)

    interrupted.meanwhile = end_sessions

    assert await recovery.change()(caller, NEW, CLIENT) is UNAUTHORIZED
    assert not await recovery.has_password(NEW)


async def test_an_inactive_user_sets_nothing(recovery: Recovery):
    caller = await caller_of(recovery, await recovery.open_session())
    await recovery.change_user(status=int(UserStatus.INACTIVE))

    assert await recovery.change()(caller, NEW, CLIENT) is UNAUTHORIZED
