"""Revoke an API token. It holds everywhere within seconds (`flows.authenticate`)."""

from dataclasses import dataclass
from datetime import datetime

from authreset.store.api_tokens import revoke_api_token
from authreset.store.database import Transaction
from authreset.store.events import Event, add_events


@dataclass(frozen=True, slots=True)
class Revoked:
    """The token of that id is over."""

    id: int
    revoked_at: datetime


@dataclass(frozen=True, slots=True)
class NothingToRevoke:
    """There is no such token, or it was revoked before."""


async def revoke_token(
    tx: Transaction, token_id: int, *, actor: str, now: datetime
) -> Revoked | NothingToRevoke:
    """End a token and write the event."""
    if not await revoke_api_token(tx, token_id, now):
        return NothingToRevoke()
    await add_events(
        tx, [Event(at=now, kind="token.revoked", actor=actor, subject_id=str(token_id))]
    )
    return Revoked(token_id, now)
