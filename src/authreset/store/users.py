"""Users, their roles, and the passwords they may not use again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, insert, literal_column, select, update
from sqlalchemy.exc import IntegrityError

from authreset.rules.lockout import UserStatus
from authreset.store.database import Transaction
from authreset.store.statements import insert_or, is_one_of, match_pairs
from authreset.store.tables import entities, password_history, roles, users

FIRST_USER_ID = 1_000_000

# In words and not as a parameter, else a plan for any value could not use the partial index.
_IS_THERE = users.c.status != literal_column(str(UserStatus.DELETED.value))


@dataclass(frozen=True, slots=True)
class User:
    """A user as the flows need one."""

    id: int
    root_id: int
    email: str
    name: str
    status: UserStatus
    locked_until: datetime | None
    failed_logins: int
    password_hash: str | None = field(repr=False)
    language: str
    last_access_at: datetime | None


@dataclass(frozen=True, slots=True)
class EmailTaken:
    """Another user of the same root organisation has that address."""


async def add_user(
    tx: Transaction,
    *,
    root_id: int,
    email: str,
    email_key: str,
    name: str,
    status: UserStatus = UserStatus.ACTIVE,
    password_hash: str | None = None,
    now: datetime,
) -> int | EmailTaken:
    """Add a user and return the id."""
    row: dict[str, Any] = {
        "root_id": root_id,
        "email": email,
        "email_key": email_key,
        "name": name,
        "status": int(status),
        "password_hash": password_hash,
        "created_at": now,
        "password_changed_at": now if password_hash else None,
    }
    if tx.dialect.name == "sqlite":
        highest = select(func.coalesce(func.max(users.c.id), FIRST_USER_ID - 1))
        row["id"] = highest.scalar_subquery() + 1
    if (root_id, email_key) in await find_users_by_email(tx, [(root_id, email_key)]):
        return EmailTaken()
    try:
        async with tx.begin_nested():
            added = await tx.execute(insert(users).values(row).returning(users.c.id))
    except IntegrityError:
        if (root_id, email_key) not in await find_users_by_email(tx, [(root_id, email_key)]):
            raise
        return EmailTaken()
    user_id: int = added.scalar_one()
    return user_id


async def add_role(tx: Transaction, user_id: int, entity_id: int, label: str) -> None:
    """Give a user a role at a node; it holds for all below it. Giving it twice changes nothing."""
    row = {"user_id": user_id, "entity_id": entity_id, "label": label}
    await tx.execute(insert_or(tx, roles).values(row).on_conflict_do_nothing())


async def find_users_by_email(
    tx: Transaction, keys: Iterable[tuple[int, str]]
) -> dict[tuple[int, str], User]:
    """Return users by (root id, address key); deleted ones are not among them."""
    wanted = list(set(keys))
    if not wanted:
        return {}
    given, is_given = match_pairs(tx, (users.c.root_id, users.c.email_key), wanted)
    query = select(users).select_from(given).join(users, is_given).where(_IS_THERE)
    found = (await tx.execute(query)).mappings()
    return {(row["root_id"], row["email_key"]): _user(row) for row in found}


async def find_users(tx: Transaction, ids: Iterable[int]) -> dict[int, User]:
    """Return users by id, also deleted ones."""
    wanted = set(ids)
    if not wanted:
        return {}
    found = (await tx.execute(select(users).where(is_one_of(tx, users.c.id, wanted)))).mappings()
    return {row["id"]: _user(row) for row in found}


async def find_all_by_email(tx: Transaction, email_key: str) -> list[User]:
    """Return the users of every organisation that have this address."""
    query = select(users).where(users.c.email_key == email_key).order_by(users.c.id)
    return [_user(row) for row in (await tx.execute(query)).mappings()]


async def lock_users(tx: Transaction, ids: Iterable[int]) -> dict[int, User]:
    """Return users by id and hold them: no other transaction changes their resets meanwhile."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    query = select(users).where(is_one_of(tx, users.c.id, wanted)).order_by(users.c.id)
    found = (await tx.execute(query.with_for_update(key_share=True))).mappings()
    return {row["id"]: _user(row) for row in found}


async def load_role_paths(tx: Transaction, ids: Sequence[int]) -> dict[int, list[str]]:
    """Return, by user, the paths of the nodes where a role is held."""
    if not ids:
        return {}
    query = (
        select(roles.c.user_id, entities.c.path)
        .join(entities, entities.c.id == roles.c.entity_id)
        .where(is_one_of(tx, roles.c.user_id, ids))
    )
    paths: dict[int, list[str]] = {one: [] for one in ids}
    for user_id, path in await tx.execute(query):
        paths[user_id].append(path)
    return paths


async def set_password(
    tx: Transaction, user: User, password_hash: str, now: datetime, remembered: int
) -> None:
    """Store a new hash, remember the old one, and forget failed logins; a lock ends."""
    if user.password_hash is not None:
        replaced = {"user_id": user.id, "password_hash": user.password_hash, "replaced_at": now}
        await tx.execute(insert(password_history).values(replaced))
    kept = _remembered(user, remembered).with_only_columns(password_history.c.id)
    forgotten = password_history.c.id.not_in(kept)
    await tx.execute(
        delete(password_history).where(password_history.c.user_id == user.id, forgotten)
    )
    status = UserStatus.ACTIVE if user.status == UserStatus.LOCKED else user.status
    await change_user(
        tx,
        user.id,
        password_hash=password_hash,
        password_changed_at=now,
        failed_logins=0,
        locked_until=None,
        status=int(status),
    )


async def change_user(tx: Transaction, user_id: int, **values: Any) -> None:
    """Change columns of a user."""
    await tx.execute(update(users).where(users.c.id == user_id).values(values))


async def list_remembered_hashes(tx: Transaction, user: User, remembered: int) -> list[str]:
    """Return the hashes a new password must not match: the present one and those before it."""
    before = (await tx.execute(_remembered(user, remembered))).scalars()
    return ([user.password_hash] if user.password_hash else []) + list(before)


def _remembered(user: User, remembered: int) -> Select[str]:
    """Choose the old hashes that count, where the present one is the first of so many."""
    return (
        select(password_history.c.password_hash)
        .where(password_history.c.user_id == user.id)
        .order_by(password_history.c.id.desc())
        .limit(max(remembered - 1, 0))
    )


def _user(row: Any) -> User:
    return User(
        id=row["id"],
        root_id=row["root_id"],
        email=row["email"],
        name=row["name"],
        status=UserStatus(row["status"]),
        locked_until=row["locked_until"],
        failed_logins=row["failed_logins"],
        password_hash=row["password_hash"],
        language=row["language"],
        last_access_at=row["last_access_at"],
    )


@dataclass(frozen=True, slots=True)
class ListedUser:
    """A user as operators list one; `entries` names the nodes where a role is held."""

    id: int
    email: str
    name: str
    status: UserStatus
    has_password: bool
    last_access_at: datetime | None
    entries: tuple[str, ...]


async def list_users(tx: Transaction, path: str, limit: int) -> list[ListedUser]:
    """Return users with a role at a node, named by its path, or below it; by address."""
    below = entities.c.path.startswith(path, autoescape=True)
    held = select(roles.c.user_id).join(entities, entities.c.id == roles.c.entity_id).where(below)
    query = select(users).where(users.c.id.in_(held)).order_by(users.c.email_key, users.c.id)
    found = list((await tx.execute(query.limit(limit))).mappings())
    entries = await _load_role_entries(tx, [row["id"] for row in found])
    return [
        ListedUser(
            row["id"],
            row["email"],
            row["name"],
            UserStatus(row["status"]),
            row["password_hash"] is not None,
            row["last_access_at"],
            tuple(entries[row["id"]]),
        )
        for row in found
    ]


async def _load_role_entries(tx: Transaction, user_ids: Sequence[int]) -> dict[int, list[str]]:
    query = (
        select(roles.c.user_id, entities.c.entry)
        .join(entities, entities.c.id == roles.c.entity_id)
        .where(roles.c.user_id.in_(user_ids))
        .order_by(entities.c.id)
    )
    entries: dict[int, list[str]] = {user_id: [] for user_id in user_ids}
    for user_id, entry in await tx.execute(query):
        entries[user_id].append(entry)
    return entries
