"""Tell who calls: an API token's holder, or a user with a session. Reads no user for an API token.

Every cause of a refusal is one value, so that the edge cannot answer differently by cause.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from authreset.rules.clocks import Clock
from authreset.rules.keyrings import KeyRing
from authreset.rules.lockout import UserStatus
from authreset.rules.networks import Network, is_allowed, parse_networks
from authreset.rules.outcomes import TokenMode
from authreset.rules.tenancy import EntityRef
from authreset.rules.tokens import TokenKind, digest_token, read_kind
from authreset.store.api_tokens import ApiTokenRow, find_api_token
from authreset.store.caches import FreshCache
from authreset.store.database import Database
from authreset.store.entities import find_entity
from authreset.store.sessions import Session, find_session

REVOCATION_SECONDS = 4.0
"""Oldest answer that is believed: a revocation holds everywhere within five seconds."""

IDLE_LIMIT = timedelta(minutes=31)
"""The contract's `inactiveTokenTime`: after so long a client refreshes or logs an idle user out.

Only told, never enforced here: a session ends by `log_in.SESSION_LIFETIME`."""


class Unauthorized:
    """The token is missing, malformed, unknown, expired, revoked or used from elsewhere."""


UNAUTHORIZED: Final = Unauthorized()


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """The holder of an API token."""

    token_id: int
    kind: TokenKind
    mode: TokenMode
    entity: EntityRef
    permissions: tuple[str, ...] | None
    networks: tuple[Network, ...]
    expires_at: datetime
    revoked_at: datetime | None

    @property
    def is_public(self) -> bool:
        """Tell whether the token may be seen in front ends and so may start resets only."""
        return self.mode is TokenMode.PUBLIC

    def may_manage_users(self) -> bool:
        """Tell whether the token may log users in: a private application token."""
        return self.kind is TokenKind.APPLICATION and not self.is_public

    def has_permission(self, name: str) -> bool:
        """Tell whether the permissions, where there are any, name this one."""
        return self.permissions is None or name in self.permissions


@dataclass(frozen=True, slots=True)
class UserCaller:
    """A user with a live session."""

    user_id: int
    entity: EntityRef
    session_digest: bytes


Caller = ApiCaller | UserCaller


class Authenticator:
    """Reads API tokens and entities through `intake`, sessions through `main`."""

    def __init__(
        self,
        *,
        intake: Database,
        main: Database,
        keyring: KeyRing,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._intake = intake
        self._main = main
        self._keyring = keyring
        self._clock = clock
        self._callers: FreshCache[bytes, ApiCaller | Unauthorized] = FreshCache(
            self._load_caller, seconds=REVOCATION_SECONDS, monotonic=monotonic
        )
        self._entities: FreshCache[str, EntityRef | Unauthorized] = FreshCache(
            self._load_entity, seconds=REVOCATION_SECONDS, monotonic=monotonic
        )

    def recall(self, token: str | None, client_address: str) -> Caller | Unauthorized | None:
        """Return the answer when it is at hand, without waiting; None: ask `authenticate`."""
        if token is None:
            return UNAUTHORIZED
        known = self._callers.peek(digest_token(token))
        if known is None:
            return None if self._is_well_formed(token) else UNAUTHORIZED
        return known if self._is_usable(known, client_address) else UNAUTHORIZED

    async def authenticate(self, token: str | None, client_address: str) -> Caller | Unauthorized:
        """Return the caller. Raises StoreUnavailable when it cannot be told."""
        if token is None or not self._is_well_formed(token):
            return UNAUTHORIZED
        if token.startswith(TokenKind.SESSION):
            return await self._authenticate_user(digest_token(token))
        caller = await self._callers.get(digest_token(token))
        return caller if self._is_usable(caller, client_address) else UNAUTHORIZED

    def recall_entity(self, entry: str) -> EntityRef | Unauthorized | None:
        """Return the node of that entry when it is at hand; None: ask `find_entity`."""
        return self._entities.peek(entry)

    async def find_entity(self, entry: str) -> EntityRef | Unauthorized:
        """Return the node of that entry. Raises StoreUnavailable when it cannot be told."""
        return await self._entities.get(entry)

    async def find_within(self, caller: Caller, entry: str, type: int) -> EntityRef | None:
        """Return the node of that entry and type when it is inside the caller's own tree."""
        entity = await self.find_entity(entry)
        if isinstance(entity, Unauthorized) or entity.type != type:
            return None
        return entity if caller.entity.holds(entity) else None

    def _is_well_formed(self, token: str) -> bool:
        return read_kind(token, self._keyring) not in (None, TokenKind.RESET)

    def _is_usable(self, caller: ApiCaller | Unauthorized, client_address: str) -> bool:
        if isinstance(caller, Unauthorized):
            return False
        if caller.revoked_at is not None or caller.expires_at <= self._clock():
            return False
        return not caller.networks or is_allowed(client_address, caller.networks)

    async def _authenticate_user(self, digest: bytes) -> UserCaller | Unauthorized:
        async with self._main.read() as tx:
            session = await find_session(tx, digest)
        if session is None or not _is_open(session, self._clock()):
            return UNAUTHORIZED
        return UserCaller(session.user_id, session.entity, session.digest)

    async def _load_caller(self, digest: bytes) -> ApiCaller | Unauthorized:
        async with self._intake.read() as tx:
            row = await find_api_token(tx, digest)
        return UNAUTHORIZED if row is None else _caller(row)

    async def _load_entity(self, entry: str) -> EntityRef | Unauthorized:
        async with self._intake.read() as tx:
            return await find_entity(tx, entry) or UNAUTHORIZED


def _is_open(session: Session, now: datetime) -> bool:
    return session.status == UserStatus.ACTIVE and now < session.expires_at


def _caller(row: ApiTokenRow) -> ApiCaller:
    return ApiCaller(
        token_id=row.id,
        kind=row.kind,
        mode=TokenMode(row.mode),
        entity=row.entity,
        permissions=row.permissions,
        networks=parse_networks(",".join(row.networks)),
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
