"""What the HTTP edge is given. Who makes these things is `authreset.wiring`'s matter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from starlette.requests import Request

from authreset.config import Settings
from authreset.flows.accept_request import Intake
from authreset.flows.authenticate import Authenticator, UserCaller
from authreset.hashing import PasswordHasher
from authreset.rules.clocks import Clock, RandomBytes
from authreset.rules.keyrings import KeyRing
from authreset.rules.limits import Rate
from authreset.rules.networks import client_address, limit_key
from authreset.rules.passwords import Estimate
from authreset.rules.tokens import TokenKind, digest_token, read_kind
from authreset.store.database import Database

Estimator = Callable[[str, Sequence[str]], Estimate]
Throttle = Callable[[str], float]
"""Takes one from a key's allowance: 0.0 when allowed, else the seconds to wait."""

PASSWORDS_A_HOLDER: Final = Rate(10, 60)
"""Each new password is judged, compared with the last ones and hashed: up to five Argon2id hashes
in the one thread. Whoever holds one link must not be able to keep it from all others."""


class SharedThrottle(Protocol):
    """Allowances that all processes share."""

    async def take(self, kind: str, key: str) -> float:
        """Take one from the allowance of a kind ("address", "token") and key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebParts:
    """Everything that handlers need."""

    settings: Settings
    keyring: KeyRing
    database: Database
    intake_database: Database
    authenticator: Authenticator
    intake: Intake
    hasher: PasswordHasher
    estimate: Estimator
    clock: Clock
    random_bytes: RandomBytes
    new_id: Callable[[], UUID]
    public_url: str
    mailbox_shown: bool
    limit_token: Throttle
    limit_address: Throttle
    limit_passwords: Throttle
    shared_limits: SharedThrottle | None = None

    def client_address(self, request: Request) -> str:
        """Return where a request comes from; a header is believed from trusted proxies only."""
        peer = request.client.host if request.client else ""
        forwarded = ", ".join(request.headers.getlist("x-forwarded-for")) or None
        return client_address(peer, forwarded, self.settings.trusted_proxies)

    async def wait_of_address(self, address: str) -> float:
        """Take one from a client address's allowance: 0.0 when allowed, else seconds to wait."""
        key = limit_key(address)
        wait = self.limit_address(key)
        return wait or await self.shared_wait("address", key)

    def wait_of_holder(self, holder: str | UserCaller) -> float:
        """Take one of the passwords that a link's token, live or not, or a user may bring."""
        if isinstance(holder, UserCaller):
            # A session can be exchanged for another at no cost, so it is the user's allowance. It
            # is not the link's too: whoever got hold of a session could keep its owner out.
            return self.limit_passwords(f"user {holder.user_id}")
        if read_kind(holder, self.keyring) is not TokenKind.RESET:
            return 0.0  # nothing will be hashed, and what strangers make up must fill no memory
        return self.limit_passwords(digest_token(holder).hex())

    async def shared_wait(self, kind: str, key: str) -> float:
        """Take one from the allowance that all processes share, where there is one."""
        return 0.0 if self.shared_limits is None else await self.shared_limits.take(kind, key)
