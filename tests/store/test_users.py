"""Users: one an address in a root organisation, held while they change, with a bounded memory."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from authreset.rules.lockout import UserStatus
from authreset.store.database import Database
from authreset.store.users import (
    FIRST_USER_ID,
    EmailTaken,
    User,
    add_role,
    add_user,
    change_user,
    find_all_by_email,
    find_users,
    find_users_by_email,
    list_remembered_hashes,
    load_role_paths,
    lock_users,
    set_password,
)
from tests.support.databases import EMAILS, START, Tree, add_person

ACTIVE = EMAILS[UserStatus.ACTIVE]


async def add(db: Database, root_id: int, email_key: str) -> int | EmailTaken:
    async with db.begin() as tx:
        return await add_user(
            tx, root_id=root_id, email=email_key, email_key=email_key, name="A", now=START
        )


async def load(db: Database, user_id: int) -> User:
    async with db.read() as tx:
        return (await find_users(tx, [user_id]))[user_id]


async def test_ids_count_from_a_million(database: Database, tree: Tree) -> None:
    ids = [*tree.users.values(), tree.stranger]
    assert ids == list(range(FIRST_USER_ID, FIRST_USER_ID + len(ids)))


async def test_a_user_comes_back_without_the_hash_in_its_repr(
    database: Database, tree: Tree
) -> None:
    user = await load(database, tree.users[UserStatus.ACTIVE])
    assert (user.root_id, user.email, user.name) == (tree.root.id, ACTIVE, "active")
    assert (user.status, user.language) == (UserStatus.ACTIVE, "en")
    assert (user.failed_logins, user.locked_until, user.last_access_at) == (0, None, None)
    assert user.password_hash == "hash-of-the-first-password"
    assert "hash-of-the-first-password" not in repr(user)


async def test_an_address_is_taken_inside_its_root_alone(database: Database, tree: Tree) -> None:
    assert await add(database, tree.root.id, ACTIVE) == EmailTaken()
    assert await add(database, tree.root.id, "inactive@example.com") == EmailTaken()
    assert isinstance(await add(database, tree.other.id, "inactive@example.com"), int)


async def test_a_deleted_users_address_is_free_again(database: Database, tree: Tree) -> None:
    added = await add(database, tree.root.id, EMAILS[UserStatus.DELETED])
    assert isinstance(added, int)
    assert added not in tree.users.values()
    assert await add(database, tree.root.id, EMAILS[UserStatus.DELETED]) == EmailTaken()


async def test_of_many_who_add_one_address_at_once_one_does(
    database: Database, another: Database, tree: Tree
) -> None:
    added = await asyncio.gather(
        *(add((database, another)[n % 2], tree.root.id, "new@example.com") for n in range(8))
    )
    assert sum(isinstance(one, int) for one in added) == 1
    assert added.count(EmailTaken()) == 7


async def test_a_refused_address_does_not_spoil_the_transaction(
    database: Database, tree: Tree
) -> None:
    async with database.begin() as tx:
        refused = await add_user(
            tx, root_id=tree.root.id, email=ACTIVE, email_key=ACTIVE, name="B", now=START
        )
        assert refused == EmailTaken()
        added = await add_person(tx, tree.root, "c@example.com")
    assert (await load(database, added)).email == "c@example.com"


async def test_another_fault_than_a_taken_address_is_told(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await add(database, 999_999, "nobody@example.com")


async def test_users_are_found_by_address_within_their_root(database: Database, tree: Tree) -> None:
    deleted = EMAILS[UserStatus.DELETED]
    keys = [(tree.root.id, ACTIVE), (tree.other.id, ACTIVE), (tree.root.id, deleted)]
    async with database.read() as tx:
        found = await find_users_by_email(tx, keys)
        assert await find_users_by_email(tx, []) == {}
        everywhere = await find_all_by_email(tx, ACTIVE)
    ours = tree.users[UserStatus.ACTIVE]
    assert {key: user.id for key, user in found.items()} == {
        (tree.root.id, ACTIVE): ours,
        (tree.other.id, ACTIVE): tree.stranger,
    }
    assert [user.id for user in everywhere] == [ours, tree.stranger]


async def test_roles_are_told_as_paths_and_given_once(database: Database, tree: Tree) -> None:
    user_id, nobody = tree.users[UserStatus.ACTIVE], tree.users[UserStatus.INACTIVE]
    async with database.begin() as tx:
        await add_role(tx, user_id, tree.stall.id, "clerk")
        await add_role(tx, user_id, tree.stall.id, "clerk")
        paths = await load_role_paths(tx, [user_id, nobody, 1])
    assert sorted(paths[user_id]) == sorted([tree.shop.path, tree.stall.path])
    assert paths[nobody] == [tree.root.path]
    assert paths[1] == []


async def test_a_held_user_changes_only_after_the_holder_ended(
    database: Database, another: Database, tree: Tree
) -> None:
    user_id = tree.users[UserStatus.ACTIVE]

    async def count_failure(db: Database) -> None:
        async with db.begin() as tx:
            user = (await lock_users(tx, [user_id, tree.stranger, 1]))[user_id]
            await asyncio.sleep(0)
            await change_user(tx, user_id, failed_logins=user.failed_logins + 1)

    await asyncio.gather(*(count_failure((database, another)[n % 2]) for n in range(10)))
    assert (await load(database, user_id)).failed_logins == 10


async def test_users_are_held_in_one_order_whoever_asks(
    database: Database, another: Database, tree: Tree
) -> None:
    async def touch(db: Database, ids: list[int]) -> None:
        async with db.begin() as tx:
            for user in (await lock_users(tx, ids)).values():
                await change_user(tx, user.id, failed_logins=user.failed_logins + 1)

    ids = [*tree.users.values(), tree.stranger]
    await asyncio.gather(*(touch((database, another)[n % 2], ids[:: (-1) ** n]) for n in range(8)))
    async with database.read() as tx:
        assert {one.failed_logins for one in (await find_users(tx, ids)).values()} == {8}
        assert await lock_users(tx, []) == {}


async def test_a_new_password_ends_a_lock_and_nothing_else(database: Database, tree: Tree) -> None:
    now = START + timedelta(minutes=1)
    for status in UserStatus:
        user = await load(database, tree.users[status])
        async with database.begin() as tx:
            await change_user(tx, user.id, failed_logins=9, locked_until=now)
            await set_password(tx, user, "second", now, 5)
        changed = await load(database, user.id)
        assert changed.password_hash == "second"
        assert (changed.failed_logins, changed.locked_until) == (0, None)
        wanted = UserStatus.ACTIVE if status is UserStatus.LOCKED else status
        assert changed.status is wanted


@pytest.mark.parametrize(("remembered", "kept"), [(5, 5), (2, 2), (1, 1), (0, 1)])
async def test_the_memory_of_passwords_is_bounded(
    database: Database, tree: Tree, remembered: int, kept: int
) -> None:
    user_id = tree.users[UserStatus.ACTIVE]
    for n in range(8):
        user = await load(database, user_id)
        async with database.begin() as tx:
            await set_password(tx, user, f"hash-{n}", START, remembered)
    user = await load(database, user_id)
    async with database.read() as tx:
        hashes = await list_remembered_hashes(tx, user, 100)
        shorter = await list_remembered_hashes(tx, user, 2)
    assert hashes == [f"hash-{n}" for n in range(7, 7 - kept, -1)]
    assert shorter == hashes[:2]


async def test_a_first_password_has_no_predecessor(database: Database, tree: Tree) -> None:
    async with database.begin() as tx:
        user_id = await add_person(tx, tree.root, "d@example.com", password_hash=None)
    user = await load(database, user_id)
    async with database.begin() as tx:
        assert await list_remembered_hashes(tx, user, 5) == []
        await set_password(tx, user, "first", START, 5)
    async with database.read() as tx:
        user = (await find_users(tx, [user_id]))[user_id]
        assert await list_remembered_hashes(tx, user, 5) == ["first"]
