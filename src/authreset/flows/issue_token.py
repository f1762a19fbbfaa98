"""Issue an API token for a node. It is returned once; only its digest is stored."""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from authreset.flows.add_organization import BadValue, NoSuchEntry
from authreset.rules.clocks import RandomBytes
from authreset.rules.keyrings import KeyRing
from authreset.rules.networks import parse_networks
from authreset.rules.outcomes import TokenMode
from authreset.rules.tenancy import EntityRef
from authreset.rules.tokens import TokenKind, digest_token, new_token
from authreset.store.api_tokens import add_api_token
from authreset.store.database import Transaction
from authreset.store.entities import find_entity
from authreset.store.events import Event, add_events

LEAST_MONTHS, MOST_MONTHS = 1, 24
API_KINDS = (TokenKind.ORGANIZATION, TokenKind.APPLICATION)


@dataclass(frozen=True, slots=True)
class NewApiToken:
    """What is asked for. No networks means that it may be used from anywhere."""

    entry: str
    kind: TokenKind
    mode: TokenMode = TokenMode.PRIVATE
    months: int = 12
    networks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token that was issued, to be shown this once."""

    id: int
    token: str = field(repr=False)
    kind: TokenKind
    mode: TokenMode
    entity: EntityRef
    networks: tuple[str, ...]
    expires_at: datetime


async def issue_token(
    tx: Transaction,
    new: NewApiToken,
    *,
    keyring: KeyRing,
    random_bytes: RandomBytes,
    actor: str,
    now: datetime,
) -> IssuedToken | BadValue | NoSuchEntry:
    """Make a token, store its digest and write the event."""
    networks = _parse(new)
    if isinstance(networks, BadValue):
        return networks
    entity = await find_entity(tx, new.entry)
    if entity is None:
        return NoSuchEntry(new.entry)
    token = new_token(new.kind, keyring, random_bytes)
    expires_at = add_months(now, new.months)
    token_id = await add_api_token(
        tx,
        digest=digest_token(token),
        kind=new.kind,
        mode=new.mode,
        entity_id=entity.id,
        networks=networks,
        now=now,
        expires_at=expires_at,
    )
    await add_events(
        tx,
        [
            Event(
                at=now,
                kind="token.issued",
                actor=actor,
                entity_id=entity.id,
                subject_id=str(token_id),
                details={
                    "kind": new.kind.name.lower(),
                    "mode": new.mode,
                    "networks": list(networks),
                },
            )
        ],
    )
    return IssuedToken(token_id, token, new.kind, new.mode, entity, networks, expires_at)


def _parse(new: NewApiToken) -> tuple[str, ...] | BadValue:
    if new.kind not in API_KINDS:
        return BadValue("type", "expected organization or application")
    if not LEAST_MONTHS <= new.months <= MOST_MONTHS:
        return BadValue("months", f"expected from {LEAST_MONTHS} to {MOST_MONTHS} months")
    try:
        return tuple(str(network) for network in parse_networks(new.networks))
    except ValueError as error:
        return BadValue("network", str(error))


def add_months(instant: datetime, months: int) -> datetime:
    """Return the same day so many months later, or that month's last day if it is shorter."""
    years, month = divmod(instant.month - 1 + months, 12)
    year, month = instant.year + years, month + 1
    day = min(instant.day, calendar.monthrange(year, month)[1])
    return instant.replace(year=year, month=month, day=day)
