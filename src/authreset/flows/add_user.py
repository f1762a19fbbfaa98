"""Add a user with a role at a node, and with a password if one is given."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from authreset.flows.add_organization import BadValue, NoSuchEntry, check_name
from authreset.rules.addresses import address_key, is_address
from authreset.rules.lockout import UserStatus
from authreset.rules.passwords import (
    Estimator,
    PasswordContext,
    PasswordPolicy,
    Weakness,
    find_weaknesses,
    normalise_password,
)
from authreset.rules.tenancy import EntityRef
from authreset.store.database import Database, Transaction
from authreset.store.entities import EntityProfile, find_entity, load_profiles
from authreset.store.events import Event, add_events
from authreset.store.users import EmailTaken, add_role
from authreset.store.users import add_user as store_user


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to add. Without a password the first one is set through a reset."""

    email: str = field(repr=False)
    entry: str
    name: str
    role: str = "User"
    status: UserStatus = UserStatus.ACTIVE
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """How a password is judged and hashed; a node's own minimum length goes before the policy's."""

    policy: PasswordPolicy
    estimate: Estimator
    hash: Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class AddedUser:
    """The user's id and where the role is held."""

    id: int
    entity: EntityRef


@dataclass(frozen=True, slots=True)
class WeakPassword:
    """The password was refused, for these reasons."""

    weaknesses: tuple[Weakness, ...]


AddUserOutcome = AddedUser | BadValue | NoSuchEntry | EmailTaken | WeakPassword


async def add_user(
    database: Database, new: NewUser, *, passwords: PasswordRules, actor: str, now: datetime
) -> AddUserOutcome:
    """Add a user to the root organisation of the entry. Hashes outside of any transaction."""
    if problem := _check(new):
        return problem
    async with database.read() as tx:
        profile = await _find_profile(tx, new.entry)
    if profile is None:
        return NoSuchEntry(new.entry)
    weaknesses = _judge(new, profile, passwords)
    if weaknesses:
        return WeakPassword(weaknesses)
    hashed = new.password and await passwords.hash(normalise_password(new.password))
    async with database.begin() as tx:
        return await store_new_user(tx, new, profile.ref, hashed or None, actor=actor, now=now)


async def store_new_user(
    tx: Transaction, new: NewUser, entity: EntityRef, password_hash: str | None, *, actor: str,
    now: datetime,
) -> AddedUser | EmailTaken:
    """Store a user whose values were checked, the role and the event."""
    id = await store_user(
        tx, root_id=entity.root_id, email=new.email, email_key=address_key(new.email),
        name=new.name, status=new.status, password_hash=password_hash, now=now,
    )
    if isinstance(id, EmailTaken):
        return id
    await add_role(tx, id, entity.id, new.role)
    await add_events(tx, [Event(
        at=now, kind="user.added", actor=actor, user_id=id, entity_id=entity.id,
        details={"role": new.role, "status": int(new.status)},
    )])
    return AddedUser(id, entity)


def _check(new: NewUser) -> BadValue | None:
    if not is_address(new.email):
        return BadValue("email", "expected an e-mail address such as ada@example.com")
    if check_name(new.role) or len(new.role) > 100:
        return BadValue("role", "expected one line of 1 to 100 characters")
    return check_name(new.name)


async def _find_profile(tx: Transaction, entry: str) -> EntityProfile | None:
    entity = await find_entity(tx, entry)
    return entity and (await load_profiles(tx, [entity.id]))[entity.id]


def _judge(
    new: NewUser, profile: EntityProfile, passwords: PasswordRules
) -> tuple[Weakness, ...]:
    if new.password is None:
        return ()
    minimum = profile.settings.password_minimum
    policy = passwords.policy
    if minimum is not None:
        policy = replace(policy, minimum_length=minimum)
    words = (new.email, new.name, profile.name, profile.brand_name, profile.ref.entry)
    return find_weaknesses(new.password, policy, PasswordContext(words), passwords.estimate)
