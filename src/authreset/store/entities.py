"""The tenant tree: organisations and paypoints."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.exc import IntegrityError

from authreset.rules.tenancy import EntityRef, EntitySettings, inherit_settings, path_ids
from authreset.store.database import Transaction
from authreset.store.statements import is_one_of
from authreset.store.tables import entities


@dataclass(frozen=True, slots=True)
class EntryTaken:
    """Another node has that entry name."""


@dataclass(frozen=True, slots=True)
class EntityProfile:
    """A node with its name and the settings that hold for it."""

    ref: EntityRef
    name: str
    settings: EntitySettings

    @property
    def brand_name(self) -> str:
        """The name people know."""
        return self.settings.brand_name or self.name


async def add_entity(
    tx: Transaction,
    *,
    type: int,
    entry: str,
    name: str,
    parent: EntityRef | None,
    settings: Mapping[str, Any],
    now: datetime,
) -> EntityRef | EntryTaken:
    """Add a node below its parent, or a root without one."""
    row = {
        "type": type,
        "entry": entry,
        "name": name,
        "settings": dict(settings),
        "created_at": now,
        "parent_id": parent and parent.id,
        "root_id": parent.root_id if parent else 0,
        "path": "/",
    }
    if await find_entity(tx, entry) is not None:
        return EntryTaken()
    try:
        async with tx.begin_nested():
            added = await tx.execute(insert(entities).values(row).returning(entities.c.id))
    except IntegrityError:
        if await find_entity(tx, entry) is None:
            raise
        return EntryTaken()
    own_id = added.scalar_one()
    root_id = parent.root_id if parent else own_id
    path = f"{parent.path if parent else '/'}{own_id}/"
    placed = update(entities).where(entities.c.id == own_id)
    await tx.execute(placed.values(root_id=root_id, path=path))
    return EntityRef(own_id, type, entry, root_id, path)


async def change_settings(tx: Transaction, entity_id: int, settings: Mapping[str, Any]) -> None:
    """Replace a node's own settings."""
    await tx.execute(
        update(entities).where(entities.c.id == entity_id).values(settings=dict(settings))
    )


async def load_own_settings(tx: Transaction, entity_id: int) -> dict[str, Any]:
    """Return what a node sets for itself, without what it inherits."""
    query = select(entities.c.settings).where(entities.c.id == entity_id)
    return dict((await tx.execute(query)).scalar_one())


async def find_entity(tx: Transaction, entry: str) -> EntityRef | None:
    """Return the node of that entry name."""
    row = (await tx.execute(_REFS.where(entities.c.entry == entry))).mappings().first()
    return None if row is None else entity_ref(row)


async def list_entities(tx: Transaction) -> list[tuple[EntityRef, str]]:
    """Return every node with its name, parents before children."""
    found = await tx.execute(_REFS.add_columns(entities.c.name).order_by(entities.c.id))
    return [(entity_ref(row), row["name"]) for row in found.mappings()]


async def load_profiles(tx: Transaction, ids: Iterable[int]) -> dict[int, EntityProfile]:
    """Return nodes by id with the settings that they have or inherit, in two queries."""
    wanted = {row["id"]: row for row in await _load(tx, set(ids))}
    above = {step for row in wanted.values() for step in path_ids(row["path"])} - wanted.keys()
    known = wanted | {row["id"]: row for row in await _load(tx, above)}
    return {
        own_id: EntityProfile(
            entity_ref(row),
            row["name"],
            inherit_settings(known[step]["settings"] for step in path_ids(row["path"])),
        )
        for own_id, row in wanted.items()
    }


async def _load(tx: Transaction, ids: set[int]) -> list[RowMapping]:
    if not ids:
        return []
    found = await tx.execute(select(entities).where(is_one_of(tx, entities.c.id, ids)))
    return list(found.mappings())


def entity_ref(row: RowMapping) -> EntityRef:
    """Build a reference from a row that has its columns."""
    return EntityRef(row["id"], row["type"], row["entry"], row["root_id"], row["path"])


_REFS = select(
    entities.c.id, entities.c.type, entities.c.entry, entities.c.root_id, entities.c.path
)
