"""Changing a user ends what was promised to the old state, on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from authreset.flows.change_user import (
    ChangedUser,
    ChangeOutcome,
    NoSuchUser,
    UserChange,
    change_user,
)
from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import ResetEnd
from authreset.store.database import Database
from authreset.store.events import list_user_events
from authreset.store.resets import Reset, add_resets, find_resets
from authreset.store.sessions import add_session, find_session
from authreset.store.users import EmailTaken, find_users
from authreset.store.users import change_user as store_change
from tests.support.databases import EMAILS, START, SeededBytes, Tree, new_reset


async def change(database: Database, user_id: int, wanted: UserChange) -> ChangeOutcome:
    async with database.begin() as tx:
        return await change_user(tx, user_id, wanted, actor="operator:test", now=START)


async def promise(database: Database, tree: Tree, random_bytes: SeededBytes) -> tuple[int, Reset]:
    """Give the active user an open reset and two sessions."""
    user_id = tree.users[UserStatus.ACTIVE]
    reset = new_reset(random_bytes, user_id, tree.shop)
    async with database.begin() as tx:
        await add_resets(tx, [reset])
        for digest in (b"one", b"two"):
            await add_session(
                tx, digest=digest, user_id=user_id, entity_id=tree.shop.id, created_at=START,
                expires_at=START + timedelta(hours=1),
            )  # fmt: skip
    return user_id, reset


@pytest.mark.parametrize(
    ("wanted", "end"),
    [
        (UserChange(status=UserStatus.INACTIVE), ResetEnd.STATUS_CHANGED),
        (UserChange(status=UserStatus.DELETED), ResetEnd.STATUS_CHANGED),
        (UserChange(email="new@example.com"), ResetEnd.EMAIL_CHANGED),
        (UserChange(email=EMAILS[UserStatus.ACTIVE].upper()), ResetEnd.EMAIL_CHANGED),
    ],
)
async def test_another_status_or_address_ends_reset_and_sessions(
    database: Database, tree: Tree, random_bytes: SeededBytes, wanted: UserChange, end: ResetEnd
) -> None:
    user_id, reset = await promise(database, tree, random_bytes)
    done = await change(database, user_id, wanted)
    assert isinstance(done, ChangedUser)
    assert (done.ended_resets, done.ended_sessions) == (1, 2)
    async with database.read() as tx:
        ended = (await find_resets(tx, [reset.id]))[reset.id]
        assert ended == replace(reset, ended_at=START, end_reason=end.value)
        assert await find_session(tx, b"one") is None
        (event,) = await list_user_events(tx, user_id)
    assert (event.kind, event.actor) == ("user.changed", "operator:test")
    assert "@" not in str(event.details)


async def test_another_name_or_none_at_all_ends_nothing(
    database: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    user_id, reset = await promise(database, tree, random_bytes)
    assert await change(database, user_id, UserChange(name="New")) == ChangedUser(
        user_id, ("name",), 0, 0
    )
    same = UserChange(status=UserStatus.ACTIVE, email=EMAILS[UserStatus.ACTIVE], name="New")
    assert await change(database, user_id, same) == ChangedUser(user_id, ())
    async with database.read() as tx:
        assert (await find_resets(tx, [reset.id]))[reset.id].ended_at is None
        assert await find_session(tx, b"two") is not None


async def test_a_status_set_by_hand_outlives_earlier_failures(
    database: Database, tree: Tree
) -> None:
    user_id = tree.users[UserStatus.LOCKED]
    async with database.begin() as tx:
        await store_change(tx, user_id, failed_logins=9, locked_until=START)
    await change(database, user_id, UserChange(status=UserStatus.ACTIVE))
    async with database.read() as tx:
        user = (await find_users(tx, [user_id]))[user_id]
    assert (user.status, user.failed_logins, user.locked_until) == (UserStatus.ACTIVE, 0, None)


async def test_an_address_of_someone_else_is_refused(database: Database, tree: Tree) -> None:
    user_id = tree.users[UserStatus.ACTIVE]
    taken = UserChange(email=EMAILS[UserStatus.INACTIVE].title())
    assert isinstance(await change(database, user_id, taken), EmailTaken)
    free = UserChange(email=EMAILS[UserStatus.DELETED])
    assert isinstance(await change(database, user_id, free), ChangedUser)
    revived = UserChange(status=UserStatus.ACTIVE)
    assert isinstance(await change(database, tree.users[UserStatus.DELETED], revived), EmailTaken)


async def test_an_unknown_user_is_a_value(database: Database, tree: Tree) -> None:
    assert isinstance(await change(database, 5, UserChange(name="New")), NoSuchUser)
