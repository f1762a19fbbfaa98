"""Users: adding, listing, and changing their status and address."""

import getpass
import sys
from dataclasses import asdict
from typing import Any

from authreset.cli.answers import Answer, Outcome, Refusal
from authreset.cli.opening import Opened
from authreset.cli.tables import show_table
from authreset.cli.work.refusals import no_such_entry, to_refusal
from authreset.flows.add_user import AddedUser, NewUser, add_user
from authreset.flows.change_user import ChangedUser, NoSuchUser, UserChange, change_user
from authreset.flows.judge_password import JudgePassword
from authreset.hashing import PasswordHasher
from authreset.rules.addresses import address_key
from authreset.rules.lockout import UserStatus
from authreset.store.database import Transaction
from authreset.store.entities import find_entity
from authreset.store.users import User, find_all_by_email, find_users, list_users
from authreset.strength import estimate_strength

_LONGEST_PASSWORD_LINE = 4096
_LONGEST_ID = 18  # digits, which every database's integers have room for


async def add(opened: Opened, new: NewUser) -> Outcome:
    """Add a user."""
    hasher = PasswordHasher()
    try:
        judge = JudgePassword(
            hasher=hasher,
            estimate=estimate_strength,
            minimum_length=opened.settings.password_minimum,
        )
        added = await add_user(
            opened.database, new, judge=judge, actor=opened.actor, now=opened.clock()
        )
    finally:
        hasher.close()
    if not isinstance(added, AddedUser):
        return to_refusal(added)
    data = {
        "id": added.id,
        "email": new.email,
        "name": new.name,
        "entry": new.entry,
        "status": int(new.status),
        "has_password": new.password is not None,
    }
    hint = "" if new.password else " There is no password yet: a reset sets the first one."
    return Answer(data, f"Added user {added.id}, {new.email}, at {new.entry}.{hint}")


def read_password() -> str | Refusal:
    """Read one line from standard input, without showing it at a terminal."""
    if sys.stdin.isatty():
        text = getpass.getpass("Password: ", stream=sys.stderr)
    else:
        text = sys.stdin.readline(_LONGEST_PASSWORD_LINE).rstrip("\r\n")
    return text or Refusal("there is no password on standard input", "write it there, as one line")


async def list_all(opened: Opened, entry: str, limit: int) -> Outcome:
    """List the users of a node and all below it."""
    async with opened.database.read() as tx:
        entity = await find_entity(tx, entry)
        if entity is None:
            return no_such_entry(entry)
        found = await list_users(tx, entity.path, limit)
    data = [
        {**asdict(one), "status": int(one.status), "status_name": _status_name(one.status)}
        for one in found
    ]
    rows = [
        [str(one.id), one.email, one.name, _status_name(one.status),
         "yes" if one.has_password else "no", ", ".join(one.entries)]
        for one in found
    ]  # fmt: skip
    return Answer(
        {"entry": entry, "users": data},
        show=show_table(
            ["id", "e-mail", "name", "status", "password", "roles at"],
            rows,
            f"No user holds a role at {entry} or below: `authreset user add`.",
        ),
    )


async def change(opened: Opened, who: str, entry: str | None, wanted: UserChange) -> Outcome:
    """Change a user that is named by id or address."""
    async with opened.database.begin() as tx:
        user = await _find(tx, who, entry)
        if isinstance(user, Refusal):
            return user
        changed = await change_user(tx, user.id, wanted, actor=opened.actor, now=opened.clock())
    match changed:
        case NoSuchUser():
            return _no_such_user(who)
        case ChangedUser():
            return _say_changed(changed)
    return to_refusal(changed)


def _say_changed(done: ChangedUser) -> Answer:
    data = {
        "id": done.id,
        "changed": list(done.changed),
        "ended_resets": done.ended_resets,
        "ended_sessions": done.ended_sessions,
    }
    if not done.changed:
        return Answer(data, f"User {done.id} was so already; nothing changed.")
    return Answer(
        data,
        (
            f"Changed {' and '.join(done.changed)} of user {done.id}; ended"
            f" {done.ended_resets} open reset(s) and {done.ended_sessions} session(s)."
        ),
    )


async def _find(tx: Transaction, who: str, entry: str | None) -> User | Refusal:
    if who.isascii() and who.isdigit() and len(who) <= _LONGEST_ID:
        return (await find_users(tx, [int(who)])).get(int(who)) or _no_such_user(who)
    found = await find_all_by_email(tx, address_key(who))
    if entry is not None:
        entity = await find_entity(tx, entry)
        found = [user for user in found if entity and user.root_id == entity.root_id]
    # A deleted user's address may have been given to a new one, who is meant then.
    kept = [user for user in found if user.status != UserStatus.DELETED] or found
    if len(kept) > 1:
        ids = ", ".join(str(user.id) for user in kept)
        return Refusal(f"several users have this address: {ids}", "name one by its id")
    return kept[0] if kept else _no_such_user(who)


def _no_such_user(who: str) -> Refusal:
    return Refusal(f"there is no user {who}", "`authreset user list --entry ENTRY` lists them")


def _status_name(status: int) -> str:
    return UserStatus(status).name.lower()


def describe_user(user: User) -> dict[str, Any]:
    """Return a user as programs read it."""
    return {
        "id": user.id,
        "root_id": user.root_id,
        "name": user.name,
        "status": int(user.status),
        "status_name": _status_name(user.status),
        "locked_until": user.locked_until,
        "has_password": user.password_hash is not None,
        "last_access_at": user.last_access_at,
    }
