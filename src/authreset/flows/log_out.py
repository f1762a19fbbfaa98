"""End one session. Others of the same user go on."""

from dataclasses import dataclass
from typing import Final

from authreset.flows.authenticate import UNAUTHORIZED, Unauthorized, UserCaller
from authreset.rules.clocks import Clock
from authreset.store.database import Database
from authreset.store.events import Event, add_events
from authreset.store.sessions import delete_session


class LoggedOut:
    """The session is over."""


LOGGED_OUT: Final = LoggedOut()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOut:
    """Ends sessions."""

    database: Database
    clock: Clock

    async def __call__(self, caller: UserCaller, client_address: str) -> LoggedOut | Unauthorized:
        """End the caller's session, once."""
        event = Event(
            at=self.clock(),
            kind="session.ended",
            actor=f"user:{caller.user_id}",
            user_id=caller.user_id,
            entity_id=caller.entity.id,
            client_address=client_address,
        )
        async with self.database.begin() as tx:
            if not await delete_session(tx, caller.session_digest):
                return UNAUTHORIZED
            await add_events(tx, [event])
        return LOGGED_OUT
