"""Exchange a session's token for a new one. The old token is dead from then on."""

from dataclasses import dataclass, field

from authreset.flows.authenticate import UNAUTHORIZED, Unauthorized, UserCaller
from authreset.flows.log_in import open_session
from authreset.rules.clocks import Clock, RandomBytes
from authreset.rules.keyrings import KeyRing
from authreset.rules.tokens import TokenKind, new_token
from authreset.store.database import Database
from authreset.store.sessions import delete_session
from authreset.store.users import lock_users


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The session goes on under this token, for its whole lifetime anew."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshSession:
    """Renews sessions."""

    database: Database
    keyring: KeyRing
    clock: Clock
    random_bytes: RandomBytes

    async def __call__(self, caller: UserCaller) -> Refreshed | Unauthorized:
        """Return the new token; of several at once with one token, one gets it."""
        token = new_token(TokenKind.SESSION, self.keyring, self.random_bytes)
        async with self.database.begin() as tx:
            # Without this, a session made while a new password ends them all could outlive that.
            await lock_users(tx, [caller.user_id])
            if not await delete_session(tx, caller.session_digest):
                return UNAUTHORIZED
            await open_session(tx, token, caller.user_id, caller.entity.id, self.clock())
        return Refreshed(token)
