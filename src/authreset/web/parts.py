"""What the HTTP edge is given. Who makes these things is `authreset.wiring`'s matter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from starlette.requests import Request

from authreset.config import Settings
from authreset.flows.accept_request import Intake
from authreset.flows.authenticate import Authenticator
from authreset.hashing import PasswordHasher
from authreset.rules.clocks import Clock, RandomBytes
from authreset.rules.keyrings import KeyRing
from authreset.rules.networks import client_address, limit_key
from authreset.rules.passwords import Estimate
from authreset.store.database import Database

Estimator = Callable[[str, Sequence[str]], Estimate]
Throttle = Callable[[str], float]
"""Takes one from a key's allowance: 0.0 when allowed, else the seconds to wait."""


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

    async def shared_wait(self, kind: str, key: str) -> float:
        """Take one from the allowance that all processes share, where there is one."""
        return 0.0 if self.shared_limits is None else await self.shared_limits.take(kind, key)
