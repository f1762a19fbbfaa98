"""Exchange a client's id and secret for a short-lived API token, as in RFC 6749, section 4.4."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from authreset.rules.clocks import Clock, RandomBytes
from authreset.rules.keyrings import KeyRing
from authreset.rules.outcomes import TokenMode
from authreset.rules.tokens import digest_token, new_token
from authreset.store.api_tokens import add_api_token
from authreset.store.database import Database
from authreset.store.oauth_clients import OauthClient, find_oauth_client

ACCESS_TOKEN_LIFETIME: Final = timedelta(hours=1)

PERMISSIONS: Final = ("authreset", "login")
"""All there are. A client holds some of them, and each of its tokens those or fewer."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A fresh token and its lifetime."""

    token: str = field(repr=False)
    lifetime: timedelta


class InvalidCredentials:
    """No live client has that id and that secret."""


@dataclass(frozen=True, slots=True)
class InvalidPermissions:
    """The client asked for a permission that it does not hold."""


INVALID_CREDENTIALS: Final = InvalidCredentials()


def new_client_id(random_bytes: RandomBytes) -> str:
    """Return a fresh id of a client: no secret, but unlikely to be guessed."""
    return random_bytes(16).hex()


def new_client_secret(random_bytes: RandomBytes) -> str:
    """Return a fresh secret with 256 unpredictable bits; its `digest_token` is what is stored."""
    return urlsafe_b64encode(random_bytes(32)).decode().rstrip("=")


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueAccessToken:
    """Issues access tokens."""

    database: Database
    keyring: KeyRing
    clock: Clock
    random_bytes: RandomBytes

    async def __call__(
        self, client_id: str, client_secret: str, permissions: Sequence[str] | None
    ) -> AccessToken | InvalidCredentials | InvalidPermissions:
        """Return a token; None asks for all that the client holds. Raises StoreUnavailable."""
        async with self.database.read() as tx:
            client = await find_oauth_client(tx, client_id, digest_token(client_secret))
        if client is None:
            return INVALID_CREDENTIALS
        if permissions is not None and not set(permissions) <= set(client.permissions):
            return InvalidPermissions()
        granted = client.permissions if permissions is None else tuple(permissions)
        return await self._issue(client, granted)

    async def _issue(self, client: OauthClient, permissions: Sequence[str]) -> AccessToken:
        token = new_token(client.kind, self.keyring, self.random_bytes)
        now = self.clock()
        async with self.database.begin() as tx:
            await add_api_token(
                tx,
                digest=digest_token(token),
                kind=client.kind,
                mode=TokenMode.PRIVATE,
                entity_id=client.entity_id,
                networks=(),
                now=now,
                expires_at=now + ACCESS_TOKEN_LIFETIME,
                client_id=client.id,
                permissions=sorted(set(permissions)),
            )
        return AccessToken(token, ACCESS_TOKEN_LIFETIME)
