"""The way back in a test: users with passwords, links to redeem, sessions, and what is left."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from authreset.flows.change_password import ChangePassword
from authreset.flows.inspect_reset import InspectReset
from authreset.flows.judge_password import JudgePassword
from authreset.flows.log_in import LogIn, LogInAttempt, open_session
from authreset.flows.redeem_reset import RedeemReset
from authreset.hashing import PasswordHasher
from authreset.rules.keyrings import KeyRing
from authreset.rules.lockout import UserStatus
from authreset.rules.tenancy import EntityRef
from authreset.rules.tokens import TokenKind, derive_reset_token, digest_token, new_token
from authreset.store.database import Database
from authreset.store.resets import Reset, add_resets, find_resets
from authreset.store.sessions import find_session
from authreset.store.users import User, change_user, find_users
from authreset.strength import estimate_strength
from tests.support.databases import EMAILS, FakeClock, SeededBytes, Tree

OLD = "seven lanterns over the harbour"
NEW = "eleven kites above a quiet meadow"
CLIENT = "203.0.113.9"


class MeanwhileHasher(PasswordHasher):
    """Lets something else happen while a password is hashed or verified, and counts its work."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        self.verified = 0

    async def hash(self, password: str) -> str:
        """Hash, after what happens meanwhile."""
        await self._let_happen()
        return await super().hash(password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Verify, before what happens meanwhile."""
        self.verified += 1
        matches = await super().verify(stored, password)
        await self._let_happen()
        return matches

    async def _let_happen(self) -> None:
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()


@dataclass
class Recovery:
    """Users with the password OLD, and the flows around passwords."""

    database: Database
    tree: Tree
    keyring: KeyRing
    hasher: PasswordHasher
    clock: FakeClock
    random_bytes: SeededBytes

    @property
    def user_id(self) -> int:
        """The active user, who has a role at the shop."""
        return self.tree.users[UserStatus.ACTIVE]

    def redeem(self, database: Database | None = None) -> RedeemReset:
        """Return the flow that redeems links."""
        inspect = InspectReset(
            database=database or self.database,
            keyring=self.keyring,
            judge=self.judge(),
            clock=self.clock,
        )
        return RedeemReset(inspect=inspect, new_id=self.random_bytes.uuid)

    def judge(self) -> JudgePassword:
        """Return what judges passwords."""
        return JudgePassword(hasher=self.hasher, estimate=estimate_strength, minimum_length=12)

    def change(self) -> ChangePassword:
        """Return the flow that changes passwords within a session."""
        return ChangePassword(
            database=self.database,
            judge=self.judge(),
            clock=self.clock,
            new_id=self.random_bytes.uuid,
        )

    def log_in(self, database: Database | None = None, refusal_seconds: float = 0.0) -> LogIn:
        """Return the flow that logs in; without a wait unless asked for."""
        return LogIn(
            database=database or self.database,
            keyring=self.keyring,
            hasher=self.hasher,
            clock=self.clock,
            random_bytes=self.random_bytes,
            refusal_seconds=refusal_seconds,
        )

    def attempt(
        self,
        password: str = OLD,
        *,
        email: str = EMAILS[UserStatus.ACTIVE],
        entity: EntityRef | None = None,
    ) -> LogInAttempt:
        """Return an attempt of the active user at the root, unless said otherwise."""
        return LogInAttempt(
            email=email,
            password=password,
            entity=entity or self.tree.root,
            actor="token:1",
            client_address=CLIENT,
        )

    async def give_passwords(self) -> None:
        """Give every user the password OLD."""
        hashed = await self.hasher.hash(OLD)
        async with self.database.begin() as tx:
            for user_id in [*self.tree.users.values(), self.tree.stranger]:
                await change_user(tx, user_id, password_hash=hashed)

    async def make_link(
        self, user_id: int | None = None, entity: EntityRef | None = None
    ) -> tuple[str, Reset]:
        """Store a live reset; return the token of its link, and the reset."""
        reset_id, key = self.random_bytes.uuid(), self.keyring.current
        token = derive_reset_token(reset_id, key)
        reset = Reset(
            id=reset_id,
            user_id=user_id or self.user_id,
            entity_id=(entity or self.tree.shop).id,
            token_digest=digest_token(token),
            key_id=key.id,
            lifetime_seconds=3600,
            created_at=self.clock(),
            deadline_at=self.clock() + timedelta(hours=24),
            expires_at=self.clock() + timedelta(hours=1),
        )
        async with self.database.begin() as tx:
            await add_resets(tx, [reset])
        return token, reset

    async def open_session(self, user_id: int | None = None) -> str:
        """Store a session and return its token."""
        token = new_token(TokenKind.SESSION, self.keyring, self.random_bytes)
        async with self.database.begin() as tx:
            await open_session(tx, token, user_id or self.user_id, self.tree.shop.id, self.clock())
        return token

    async def has_session(self, token: str) -> bool:
        """Tell whether a session is still there."""
        async with self.database.read() as tx:
            return await find_session(tx, digest_token(token)) is not None

    async def load_user(self, user_id: int | None = None) -> User:
        """Return a user as stored now."""
        chosen = user_id or self.user_id
        async with self.database.read() as tx:
            return (await find_users(tx, [chosen]))[chosen]

    async def load_reset(self, reset: Reset) -> Reset:
        """Return a reset as stored now."""
        async with self.database.read() as tx:
            return (await find_resets(tx, [reset.id]))[reset.id]

    async def change_user(self, user_id: int | None = None, **values: Any) -> None:
        """Change columns of a user."""
        async with self.database.begin() as tx:
            await change_user(tx, user_id or self.user_id, **values)

    async def has_password(self, password: str, user_id: int | None = None) -> bool:
        """Tell whether a user has that password now."""
        stored = (await self.load_user(user_id)).password_hash
        return await self.hasher.verify(stored, password)
