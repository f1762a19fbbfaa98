"""Add a paypoint below an organisation."""

from datetime import datetime

from authreset.flows.add_organization import Added, BadValue, NewNode, add_node
from authreset.rules.outcomes import EntityType
from authreset.store.database import Transaction


async def add_paypoint(tx: Transaction, new: NewNode, *, actor: str, now: datetime) -> Added:
    """Add a paypoint, which always stands below an organisation."""
    if new.parent is None:
        return BadValue("organization", "expected the entry of the organisation it belongs to")
    return await add_node(tx, EntityType.PAYPOINT, new, actor=actor, now=now)
