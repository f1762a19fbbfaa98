"""Log a user in by e-mail address and password. All refusals are one value, at equal cost and time.

Attempts are counted on the held row of the user, so that parallel ones are not lost, and judged
anew there, so that neither a lock nor a new password can be overtaken.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from authreset.hashing import PasswordHasher
from authreset.rules.addresses import address_key
from authreset.rules.clocks import Clock, RandomBytes
from authreset.rules.keyrings import KeyRing
from authreset.rules.lockout import Lock, LockoutPolicy, UserStatus, after_failure, is_locked
from authreset.rules.passwords import normalise_password
from authreset.rules.tenancy import EntityRef, are_related
from authreset.rules.tokens import TokenKind, digest_token, new_token
from authreset.store.database import Database, Transaction
from authreset.store.events import Event, add_events
from authreset.store.sessions import add_session
from authreset.store.users import (
    User,
    change_user,
    find_users_by_email,
    load_role_paths,
    lock_users,
)

SESSION_LIFETIME: Final = timedelta(minutes=120)
"""From issue; the contract's `remaining`."""

REFUSAL_SECONDS: Final = 0.1
"""From the attempt; several times what a password's hash takes."""

_NOBODY: Final = 0
_LOCKOUT: Final = LockoutPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogInAttempt:
    """Who wants in, at which node, through which caller and from where."""

    email: str = field(repr=False)
    password: str = field(repr=False)
    entity: EntityRef
    actor: str
    client_address: str


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A session was opened; this is its token."""

    token: str = field(repr=False)


class Refused:
    """Unknown, out of scope, inactive, locked, without a password, or the wrong one."""


REFUSED: Final = Refused()


@dataclass(frozen=True, slots=True)
class _Checked:
    """What was found of the user, and how the password compared with the hash found."""

    user_id: int
    password_hash: str | None = field(repr=False)
    matches: bool
    new_hash: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogIn:
    """Opens sessions."""

    database: Database
    keyring: KeyRing
    hasher: PasswordHasher
    clock: Clock
    random_bytes: RandomBytes
    lockout: LockoutPolicy = _LOCKOUT
    refusal_seconds: float = REFUSAL_SECONDS

    async def __call__(self, attempt: LogInAttempt) -> LoggedIn | Refused:
        """Return a session, or the refusal, which comes no sooner than after `refusal_seconds`.

        Equal work is not done in equal time: a hash of another cost, or a row that is written and
        not only looked for, differs by some tenths of a millisecond, which many attempts add up.

        Raises StoreUnavailable or HashingBusy.
        """
        # Begun before the work, so that when it is over says nothing of the work.
        refusal = asyncio.create_task(asyncio.sleep(self.refusal_seconds))
        try:
            outcome = None
            while outcome is None:  # again only when the hash was replaced while we compared
                outcome = await self._settle(attempt, await self._check(attempt))
            if isinstance(outcome, Refused):
                await refusal
            return outcome
        finally:
            refusal.cancel()

    async def _check(self, attempt: LogInAttempt) -> _Checked:
        user = await self._find(attempt)
        password = normalise_password(attempt.password)
        stored = user.password_hash if user else None
        matches = await self.hasher.verify(stored, password)
        dated = matches and stored is not None and self.hasher.needs_rehash(stored)
        new_hash = await self.hasher.hash(password) if dated else None
        return _Checked(user.id if user else _NOBODY, stored, matches, new_hash)

    async def _find(self, attempt: LogInAttempt) -> User | None:
        """Return the user when one of the roles reaches the node; as many queries for nobody."""
        key = (attempt.entity.root_id, address_key(attempt.email))
        async with self.database.read() as tx:
            user = (await find_users_by_email(tx, [key])).get(key)
            user_id = user.id if user else _NOBODY
            paths = (await load_role_paths(tx, [user_id]))[user_id]
        return user if any(are_related(path, attempt.entity.path) for path in paths) else None

    async def _settle(self, attempt: LogInAttempt, checked: _Checked) -> LoggedIn | Refused | None:
        async with self.database.begin() as tx:
            user = (await lock_users(tx, [checked.user_id])).get(checked.user_id)
            if user is None or not self._may_try(user):
                # Changes nobody: as many statements as for one whose failures are counted.
                await change_user(tx, _NOBODY, failed_logins=0)
                await self._tell(tx, attempt, user, "login.refused")
                return REFUSED
            if user.password_hash != checked.password_hash:
                return None
            if not checked.matches:
                await self._count_failure(tx, attempt, user)
                return REFUSED
            return await self._open(tx, attempt, user, checked)

    def _may_try(self, user: User) -> bool:
        open_to_all = user.status in (UserStatus.ACTIVE, UserStatus.LOCKED)
        return open_to_all and not is_locked(user.status, user.locked_until, self.clock())

    async def _count_failure(self, tx: Transaction, attempt: LogInAttempt, user: User) -> None:
        verdict = after_failure(
            user.failed_logins, self.clock(), self.lockout, locked_until=user.locked_until
        )
        if isinstance(verdict, Lock):
            await change_user(
                tx,
                user.id,
                failed_logins=self.lockout.failures,
                locked_until=verdict.until,
                status=int(UserStatus.LOCKED),
            )
            await self._tell(tx, attempt, user, "user.locked", until=verdict.until.isoformat())
            return
        await change_user(
            tx,
            user.id,
            failed_logins=verdict.failures,
            locked_until=None,
            status=int(UserStatus.ACTIVE),
        )
        await self._tell(tx, attempt, user, "login.failed", failures=verdict.failures)

    async def _open(
        self, tx: Transaction, attempt: LogInAttempt, user: User, checked: _Checked
    ) -> LoggedIn:
        await change_user(
            tx,
            user.id,
            failed_logins=0,
            locked_until=None,
            status=int(UserStatus.ACTIVE),
            last_access_at=self.clock(),
            password_hash=checked.new_hash or checked.password_hash,
        )
        token = new_token(TokenKind.SESSION, self.keyring, self.random_bytes)
        await open_session(tx, token, user.id, attempt.entity.id, self.clock())
        await self._tell(tx, attempt, user, "session.opened")
        return LoggedIn(token)

    async def _tell(
        self, tx: Transaction, attempt: LogInAttempt, user: User | None, kind: str, **details: Any
    ) -> None:
        event = Event(
            at=self.clock(),
            kind=kind,
            actor=attempt.actor,
            user_id=user.id if user else None,
            entity_id=attempt.entity.id,
            client_address=attempt.client_address,
            details=details,
        )
        await add_events(tx, [event])


async def open_session(
    tx: Transaction, token: str, user_id: int, entity_id: int, now: datetime
) -> None:
    """Store the digest of a session's token. The user must be held."""
    await add_session(
        tx,
        digest=digest_token(token),
        user_id=user_id,
        entity_id=entity_id,
        created_at=now,
        expires_at=now + SESSION_LIFETIME,
    )
