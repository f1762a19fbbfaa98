"""Sessions: found by their digest with their user's status, and ended."""

from datetime import timedelta

import pytest

from authreset.rules.lockout import UserStatus
from authreset.store.database import Database
from authreset.store.sessions import (
    Session,
    add_session,
    delete_session,
    delete_user_sessions,
    find_session,
)
from authreset.store.users import change_user
from tests.support.databases import START, Tree

EXPIRY = START + timedelta(minutes=31)


@pytest.fixture
async def opened(database: Database, tree: Tree) -> list[bytes]:
    """Open two sessions of the active user and one of the stranger."""
    ours = tree.users[UserStatus.ACTIVE]
    async with database.begin() as tx:
        for digest, user_id in ((b"one", ours), (b"two", ours), (b"other", tree.stranger)):
            await add_session(
                tx, digest=digest, user_id=user_id, entity_id=tree.shop.id,
                created_at=START, expires_at=EXPIRY,
            )  # fmt: skip
    return [b"one", b"two", b"other"]


async def test_a_session_is_found_with_its_users_present_status(
    database: Database, tree: Tree, opened: list[bytes]
) -> None:
    user_id = tree.users[UserStatus.ACTIVE]
    async with database.begin() as tx:
        found = await find_session(tx, b"one")
        assert found == Session(b"one", user_id, UserStatus.ACTIVE, tree.shop, START, EXPIRY)
        await change_user(tx, user_id, status=int(UserStatus.LOCKED))
        found = await find_session(tx, b"one")
        assert found is not None
        assert found.status is UserStatus.LOCKED
        assert await find_session(tx, b"unknown") is None


async def test_one_session_is_ended_once(database: Database, opened: list[bytes]) -> None:
    async with database.begin() as tx:
        assert await delete_session(tx, b"one")
        assert not await delete_session(tx, b"one")
        assert await find_session(tx, b"one") is None
        assert await find_session(tx, b"two") is not None


async def test_all_sessions_of_a_user_end_and_nobody_elses(
    database: Database, tree: Tree, opened: list[bytes]
) -> None:
    async with database.begin() as tx:
        assert await delete_user_sessions(tx, tree.users[UserStatus.ACTIVE]) == 2
        assert [await find_session(tx, one) is None for one in opened] == [True, True, False]
