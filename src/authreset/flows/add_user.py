"""Add a user with a role at a node, and with a password if one is given."""

from dataclasses import dataclass, field
from datetime import datetime

from authreset.flows.add_organization import BadValue, NoSuchEntry, check_name
from authreset.flows.judge_password import JudgePassword, Owner, Weak
from authreset.rules.addresses import address_key, is_address
from authreset.rules.lockout import UserStatus
from authreset.rules.tenancy import EntityRef
from authreset.store.database import Database, Transaction
from authreset.store.entities import EntityProfile, find_entity, load_profiles
from authreset.store.events import Event, add_events
from authreset.store.users import EmailTaken, User, add_role
from authreset.store.users import add_user as store_user

LONGEST_ROLE = 100


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
class AddedUser:
    """The user's id and where the role is held."""

    id: int
    entity: EntityRef


AddUserOutcome = AddedUser | BadValue | NoSuchEntry | EmailTaken | Weak


async def add_user(
    database: Database, new: NewUser, *, judge: JudgePassword, actor: str, now: datetime
) -> AddUserOutcome:
    """Add a user to the root organisation of the entry. Hashes outside of any transaction."""
    if problem := _check(new):
        return problem
    async with database.read() as tx:
        profile = await _find_profile(tx, new.entry)
    if profile is None:
        return NoSuchEntry(new.entry)
    password_hash = None
    if new.password is not None:
        verdict = await judge(new.password, Owner(_future_user(new, profile), profile, ()))
        if isinstance(verdict, Weak):
            return verdict
        password_hash = verdict.password_hash
    async with database.begin() as tx:
        return await store_new_user(tx, new, profile.ref, password_hash, actor=actor, now=now)


async def store_new_user(
    tx: Transaction,
    new: NewUser,
    entity: EntityRef,
    password_hash: str | None,
    *,
    actor: str,
    now: datetime,
) -> AddedUser | EmailTaken:
    """Store a user whose values were checked, the role and the event."""
    user_id = await store_user(
        tx,
        root_id=entity.root_id,
        email=new.email,
        email_key=address_key(new.email),
        name=new.name,
        status=new.status,
        password_hash=password_hash,
        now=now,
    )
    if isinstance(user_id, EmailTaken):
        return user_id
    await add_role(tx, user_id, entity.id, new.role)
    await add_events(
        tx,
        [
            Event(
                at=now,
                kind="user.added",
                actor=actor,
                user_id=user_id,
                entity_id=entity.id,
                details={"role": new.role, "status": int(new.status)},
            )
        ],
    )
    return AddedUser(user_id, entity)


def _check(new: NewUser) -> BadValue | None:
    if not is_address(new.email):
        return BadValue("email", "expected an e-mail address such as ada@example.com")
    if check_name(new.role) or len(new.role) > LONGEST_ROLE:
        return BadValue("role", f"expected one line of 1 to {LONGEST_ROLE} characters")
    return check_name(new.name)


async def _find_profile(tx: Transaction, entry: str) -> EntityProfile | None:
    entity = await find_entity(tx, entry)
    return None if entity is None else (await load_profiles(tx, [entity.id]))[entity.id]


def _future_user(new: NewUser, profile: EntityProfile) -> User:
    """Return the user as the judgement of the password wants one; the id is not given yet."""
    return User(
        id=0,
        root_id=profile.ref.root_id,
        email=new.email,
        name=new.name,
        status=new.status,
        locked_until=None,
        failed_logins=0,
        password_hash=None,
        language="en",
        last_access_at=None,
    )
