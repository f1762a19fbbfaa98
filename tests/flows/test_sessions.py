"""Refreshing and ending sessions."""

import asyncio

from authreset.flows.authenticate import UNAUTHORIZED, UserCaller
from authreset.flows.log_out import LOGGED_OUT, LogOut
from authreset.flows.refresh_session import Refreshed, RefreshSession
from authreset.rules.tokens import digest_token
from authreset.store.database import Database
from authreset.store.sessions import delete_user_sessions
from authreset.store.users import lock_users
from tests.support.recovery import CLIENT, Recovery


def refresh_of(recovery: Recovery, database: Database | None = None) -> RefreshSession:
    return RefreshSession(
        database=database or recovery.database,
        keyring=recovery.keyring,
        clock=recovery.clock,
        random_bytes=recovery.random_bytes,
    )


def caller_of(recovery: Recovery, token: str) -> UserCaller:
    return UserCaller(recovery.user_id, recovery.tree.shop, digest_token(token))


async def test_refreshing_kills_the_old_token(recovery: Recovery):
    old = await recovery.open_session()
    bystander = await recovery.open_session()

    outcome = await refresh_of(recovery)(caller_of(recovery, old))

    assert isinstance(outcome, Refreshed)
    assert await recovery.has_session(outcome.token)
    assert not await recovery.has_session(old)
    assert await recovery.has_session(bystander)
    assert outcome.token not in repr(outcome)


async def test_of_many_refreshes_at_once_one_gets_a_token(recovery: Recovery, another: Database):
    caller = caller_of(recovery, await recovery.open_session())
    flows = (refresh_of(recovery), refresh_of(recovery, another))

    outcomes = await asyncio.gather(*(flows[n % 2](caller) for n in range(12)))

    assert sum(isinstance(one, Refreshed) for one in outcomes) == 1
    assert outcomes.count(UNAUTHORIZED) == 11


async def test_no_refresh_overtakes_whoever_ends_the_sessions(
    recovery: Recovery, another: Database
):
    caller = caller_of(recovery, await recovery.open_session())

    async with recovery.database.begin() as tx:
        await lock_users(tx, [recovery.user_id])
        refreshing = asyncio.create_task(refresh_of(recovery, another)(caller))
        await asyncio.wait({refreshing}, timeout=0.2)  # it would be done by then if it could
        await delete_user_sessions(tx, recovery.user_id)

    assert await refreshing is UNAUTHORIZED


async def test_logging_out_ends_one_session_once(recovery: Recovery):
    token, bystander = await recovery.open_session(), await recovery.open_session()
    log_out = LogOut(database=recovery.database, clock=recovery.clock)
    caller = caller_of(recovery, token)

    assert await log_out(caller, CLIENT) is LOGGED_OUT
    assert await log_out(caller, CLIENT) is UNAUTHORIZED

    assert not await recovery.has_session(token)
    assert await recovery.has_session(bystander)
