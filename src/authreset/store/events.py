"""The audit trail: append-only, without secrets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from authreset.store.database import Transaction
from authreset.store.statements import delete_before
from authreset.store.tables import events


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Who did what, when, from where."""

    at: datetime
    kind: str
    actor: str
    user_id: int | None = None
    entity_id: int | None = None
    subject_id: str | None = None
    client_address: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


async def add_events(tx: Transaction, added: Sequence[Event]) -> None:
    """Append events."""
    if added:
        # Inline: no id is asked back, for whoever appends may have no right to read.
        await tx.execute(insert(events).inline(), [_row(one) for one in added])


async def list_user_events(tx: Transaction, user_id: int, limit: int = 200) -> list[Event]:
    """Return a user's latest events, the oldest of them first."""
    query = select(events).where(events.c.user_id == user_id)
    found = await tx.execute(query.order_by(events.c.at.desc(), events.c.id.desc()).limit(limit))
    return [Event(**{name: row[name] for name in Event.__slots__}) for row in found.mappings()][
        ::-1
    ]


async def sweep_events(tx: Transaction, before: datetime, limit: int) -> int:
    """Remove events from before that instant."""
    return await delete_before(tx, events.c.at, before, limit)


def _row(one: Event) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Event.__slots__}
