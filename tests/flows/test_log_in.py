"""Who gets in, who does not, and that attempts are counted however many come at once."""

import asyncio
import unicodedata
from datetime import timedelta

import pytest
from sqlalchemy import event

from authreset.flows.log_in import REFUSED, LoggedIn, LogInAttempt
from authreset.hashing import HashingCost, PasswordHasher
from authreset.rules.lockout import UserStatus
from authreset.rules.tokens import TokenKind, digest_token, read_kind
from authreset.store.database import Database
from authreset.store.events import list_user_events
from authreset.store.sessions import find_session
from tests.support.databases import EMAILS, Tree
from tests.support.recovery import NEW, OLD, MeanwhileHasher, Recovery

WRONG = "nine wrong umbrellas in the rain"


async def kinds_of_events(recovery: Recovery) -> list[str]:
    async with recovery.database.read() as tx:
        return [one.kind for one in await list_user_events(tx, recovery.user_id)]


async def test_opens_a_session(recovery: Recovery):
    await recovery.change_user(failed_logins=4)

    outcome = await recovery.log_in()(recovery.attempt())

    assert isinstance(outcome, LoggedIn)
    assert read_kind(outcome.token, recovery.keyring) is TokenKind.SESSION
    assert outcome.token not in repr(outcome)
    async with recovery.database.read() as tx:
        session = await find_session(tx, digest_token(outcome.token))
    assert session is not None
    assert (session.user_id, session.entity) == (recovery.user_id, recovery.tree.root)
    assert session.expires_at - recovery.clock() == timedelta(minutes=120)
    user = await recovery.load_user()
    assert (user.failed_logins, user.last_access_at) == (0, recovery.clock())
    assert await kinds_of_events(recovery) == ["session.opened"]


async def test_case_of_the_address_and_form_of_the_password_do_not_matter(recovery: Recovery):
    composed = "caf\u00e9 terraces of the old town"
    await recovery.change_user(password_hash=await recovery.hasher.hash(composed))
    decomposed = unicodedata.normalize("NFD", composed)
    assert decomposed != composed

    email = EMAILS[UserStatus.ACTIVE].upper()
    outcome = await recovery.log_in()(recovery.attempt(decomposed, email=email))

    assert isinstance(outcome, LoggedIn)


@pytest.mark.parametrize(
    ("node", "gets_in"),
    [("root", True), ("shop", True), ("sub", False), ("stall", False), ("other", False)],
)
async def test_the_node_must_be_above_or_below_a_role(recovery: Recovery, node: str, gets_in: bool):
    """The active user's role is at the shop, below the root; a namesake is at the other root."""
    await recovery.change_user(
        recovery.tree.stranger, password_hash=await recovery.hasher.hash(WRONG)
    )

    outcome = await recovery.log_in()(recovery.attempt(entity=getattr(recovery.tree, node)))

    assert isinstance(outcome, LoggedIn) == gets_in


REFUSALS = {
    "wrong": (EMAILS[UserStatus.ACTIVE], WRONG),
    "unknown": ("nobody@example.com", OLD),
    **{
        status.name.lower(): (EMAILS[status], OLD)
        for status in (UserStatus.INACTIVE, UserStatus.LOCKED, UserStatus.DELETED)
    },
}


@pytest.mark.parametrize("cause", REFUSALS)
async def test_refuses_every_cause_alike_after_one_verification(
    recovery: Recovery, interrupted: MeanwhileHasher, cause: str
):
    email, password = REFUSALS[cause]

    assert await recovery.log_in()(recovery.attempt(password, email=email)) is REFUSED
    assert interrupted.verified == 1


async def test_refuses_every_cause_with_as_many_statements(recovery: Recovery):
    counts = {}
    for cause, (email, password) in REFUSALS.items():
        statements: list[str] = []

        def count(_c: object, _cursor: object, statement: str, *_: object) -> None:
            statements.append(statement.partition(" ")[0])  # noqa: B023 -- called in this turn

        event.listen(recovery.database.engine.sync_engine, "before_cursor_execute", count)
        await recovery.log_in()(recovery.attempt(password, email=email))
        event.remove(recovery.database.engine.sync_engine, "before_cursor_execute", count)
        counts[cause] = tuple(statements)

    assert len(set(counts.values())) == 1, counts


@pytest.mark.parametrize("cause", REFUSALS)
async def test_refuses_no_cause_before_its_time(recovery: Recovery, cause: str):
    email, password = REFUSALS[cause]
    loop = asyncio.get_running_loop()
    begun = loop.time()

    await recovery.log_in(refusal_seconds=0.3)(recovery.attempt(password, email=email))
    assert loop.time() - begun >= 0.3


async def test_who_gets_in_does_not_wait_for_that_time(recovery: Recovery):
    async with asyncio.timeout(60):
        outcome = await recovery.log_in(refusal_seconds=3600)(recovery.attempt())
    assert isinstance(outcome, LoggedIn)


async def test_a_user_without_a_password_is_refused_alike(recovery: Recovery):
    await recovery.change_user(password_hash=None)

    assert await recovery.log_in()(recovery.attempt("")) is REFUSED


async def test_ten_failures_lock_for_half_an_hour(recovery: Recovery):
    for count in range(1, 11):
        assert (await recovery.load_user()).status is UserStatus.ACTIVE
        assert await recovery.log_in()(recovery.attempt(WRONG)) is REFUSED
        assert (await recovery.load_user()).failed_logins == count

    user = await recovery.load_user()
    assert user.status is UserStatus.LOCKED
    assert user.locked_until == recovery.clock() + timedelta(minutes=30)
    assert await recovery.log_in()(recovery.attempt()) is REFUSED
    assert await kinds_of_events(recovery) == [
        *["login.failed"] * 9, "user.locked", "login.refused"
    ]  # fmt: skip

    recovery.clock.advance(minutes=30)
    assert isinstance(await recovery.log_in()(recovery.attempt()), LoggedIn)
    user = await recovery.load_user()
    assert (user.status, user.failed_logins, user.locked_until) == (UserStatus.ACTIVE, 0, None)


async def test_attempts_while_locked_do_not_prolong_the_lock(recovery: Recovery):
    until = recovery.clock() + timedelta(minutes=5)
    await recovery.change_user(status=int(UserStatus.LOCKED), locked_until=until, failed_logins=10)

    await recovery.log_in()(recovery.attempt(WRONG))

    assert (await recovery.load_user()).locked_until == until


async def test_after_a_lock_ran_out_the_count_begins_anew(recovery: Recovery):
    until = recovery.clock()
    await recovery.change_user(status=int(UserStatus.LOCKED), locked_until=until, failed_logins=10)

    assert await recovery.log_in()(recovery.attempt(WRONG)) is REFUSED

    user = await recovery.load_user()
    assert (user.status, user.failed_logins) == (UserStatus.ACTIVE, 1)


@pytest.mark.parametrize("at_once", [7, 24])
async def test_no_failure_is_lost_when_many_come_at_once(
    recovery: Recovery, another: Database, at_once: int
):
    flows = (recovery.log_in(), recovery.log_in(another))

    outcomes = await asyncio.gather(
        *(flows[n % 2](recovery.attempt(WRONG)) for n in range(at_once))
    )

    assert set(outcomes) == {REFUSED}
    user = await recovery.load_user()
    assert user.failed_logins == min(at_once, 10)
    assert user.status is (UserStatus.LOCKED if at_once >= 10 else UserStatus.ACTIVE)


async def test_an_account_that_others_lock_meanwhile_stays_locked(
    recovery: Recovery, interrupted: MeanwhileHasher
):
    async def lock() -> None:
        until = recovery.clock() + timedelta(minutes=30)
        await recovery.change_user(status=int(UserStatus.LOCKED), locked_until=until)

    interrupted.meanwhile = lock

    assert await recovery.log_in()(recovery.attempt()) is REFUSED


async def test_a_password_replaced_meanwhile_opens_no_session(
    recovery: Recovery, interrupted: MeanwhileHasher
):
    new_hash = await recovery.hasher.hash(NEW)
    interrupted.meanwhile = lambda: recovery.change_user(password_hash=new_hash)

    assert await recovery.log_in()(recovery.attempt(OLD)) is REFUSED
    assert interrupted.verified == 2  # once against each of the two hashes


async def test_a_hash_of_another_cost_is_made_anew(recovery: Recovery):
    before = (await recovery.load_user()).password_hash
    recovery.hasher = dearer = PasswordHasher(HashingCost(memory_kib=96, passes=1))
    try:
        assert isinstance(await recovery.log_in()(recovery.attempt()), LoggedIn)
        after = (await recovery.load_user()).password_hash
        assert after is not None
        assert after != before
        assert not dearer.needs_rehash(after)
        assert isinstance(await recovery.log_in()(recovery.attempt()), LoggedIn)
    finally:
        dearer.close()


async def test_many_log_in_at_once_while_a_hash_is_made_anew(recovery: Recovery):
    recovery.hasher = dearer = PasswordHasher(HashingCost(memory_kib=96, passes=1))
    try:
        outcomes = await asyncio.gather(*(recovery.log_in()(recovery.attempt()) for _ in range(8)))
    finally:
        dearer.close()

    assert {type(one) for one in outcomes} == {LoggedIn}


async def test_an_attempt_shows_neither_address_nor_password(tree: Tree):
    attempt = LogInAttempt(
        email="a@example.com", password=OLD, entity=tree.root, actor="t", client_address=""
    )
    assert "a@example.com" not in repr(attempt)
    assert OLD not in repr(attempt)
