"""Change a user's status, address or name. What was promised to the old state ends with it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from authreset.flows.add_organization import BadValue, check_name
from authreset.rules.addresses import address_key, is_address
from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import ResetEnd
from authreset.store.database import Transaction
from authreset.store.events import Event, add_events
from authreset.store.resets import end_resets
from authreset.store.sessions import delete_user_sessions
from authreset.store.users import EmailTaken, User, find_users_by_email, lock_users
from authreset.store.users import change_user as store_change


@dataclass(frozen=True, slots=True)
class UserChange:
    """What to change; None leaves it as it is."""

    status: UserStatus | None = None
    email: str | None = field(default=None, repr=False)
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ChangedUser:
    """What changed (field names), and what ended because of it."""

    id: int
    changed: tuple[str, ...]
    ended_resets: int = 0
    ended_sessions: int = 0


@dataclass(frozen=True, slots=True)
class NoSuchUser:
    """No user has that id."""


ChangeOutcome = ChangedUser | BadValue | NoSuchUser | EmailTaken


async def change_user(
    tx: Transaction, user_id: int, change: UserChange, *, actor: str, now: datetime
) -> ChangeOutcome:
    """Change a user; another status or address ends the open reset and every session with it."""
    if problem := _check(change):
        return problem
    user = (await lock_users(tx, [user_id])).get(user_id)
    if user is None:
        return NoSuchUser()
    values = _differences(user, change)
    if not values:
        return ChangedUser(user_id, ())
    if await _is_taken(tx, user, values):
        return EmailTaken()
    await store_change(tx, user_id, **values)
    return await _end_promises(tx, user, values, actor, now)


def _check(change: UserChange) -> BadValue | None:
    if change.email is not None and not is_address(change.email):
        return BadValue("email", "expected an e-mail address such as ada@example.com")
    return None if change.name is None else check_name(change.name)


def _differences(user: User, change: UserChange) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if change.name is not None and change.name != user.name:
        values["name"] = change.name
    if change.email is not None and change.email != user.email:
        values |= {"email": change.email, "email_key": address_key(change.email)}
    if change.status is not None and change.status != user.status:
        # Whoever sets a status by hand means it: no earlier lock or failure outlives that.
        values |= {"status": int(change.status), "failed_logins": 0, "locked_until": None}
    return values


async def _is_taken(tx: Transaction, user: User, values: dict[str, Any]) -> bool:
    """Tell whether someone else has the address, which a deleted user may have lost meanwhile."""
    if values.get("status", user.status) == UserStatus.DELETED:
        return False
    key = (user.root_id, values.get("email_key", address_key(user.email)))
    holder = (await find_users_by_email(tx, [key])).get(key)
    return holder is not None and holder.id != user.id


async def _end_promises(
    tx: Transaction, user: User, values: dict[str, Any], actor: str, now: datetime
) -> ChangedUser:
    changed = tuple(name for name in ("status", "email", "name") if name in values)
    resets = sessions = 0
    if reason := _reason(changed):
        resets = await end_resets(tx, [user.id], reason, now)
        sessions = await delete_user_sessions(tx, user.id)
    details: dict[str, Any] = {"changed": list(changed)}
    if "status" in values:
        details |= {"old_status": int(user.status), "status": values["status"]}
    await add_events(
        tx, [Event(at=now, kind="user.changed", actor=actor, user_id=user.id, details=details)]
    )
    return ChangedUser(user.id, changed, resets, sessions)


def _reason(changed: tuple[str, ...]) -> ResetEnd | None:
    if "status" in changed:
        return ResetEnd.STATUS_CHANGED
    return ResetEnd.EMAIL_CHANGED if "email" in changed else None
