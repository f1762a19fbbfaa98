"""Organisations, paypoints and what they set."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from authreset.cli.answers import Answer, Outcome
from authreset.cli.opening import Opened
from authreset.cli.tables import show_table
from authreset.cli.work.refusals import no_such_entry, to_refusal
from authreset.flows.add_organization import (
    Added,
    BadValue,
    NewNode,
    add_organization,
    parse_settings,
    set_settings,
)
from authreset.flows.add_paypoint import add_paypoint
from authreset.rules.outcomes import EntityType
from authreset.rules.tenancy import EntityRef, path_ids
from authreset.store.entities import find_entity, list_entities, load_own_settings

TYPE_NAMES = {EntityType.ORGANIZATION: "organization", EntityType.PAYPOINT: "paypoint"}
_ADD: dict[EntityType, Callable[..., Awaitable[Added]]] = {
    EntityType.ORGANIZATION: add_organization,
    EntityType.PAYPOINT: add_paypoint,
}


async def add(
    opened: Opened,
    kind: EntityType,
    entry: str,
    name: str,
    parent: str | None,
    pairs: Sequence[str],
) -> Outcome:
    """Add a node."""
    settings = parse_settings(pairs)
    if isinstance(settings, BadValue):
        return to_refusal(settings)
    own = {key: value for key, value in settings.items() if value is not None}
    async with opened.database.begin() as tx:
        added = await _ADD[kind](
            tx, NewNode(entry, name, parent, own), actor=opened.actor, now=opened.clock()
        )
    if not isinstance(added, EntityRef):
        return to_refusal(added)
    data = {**describe(added, name), "parent": parent, "settings": own}
    return Answer(data, f"Added {TYPE_NAMES[kind]} {entry} ({name}).")


async def list_all(opened: Opened) -> Outcome:
    """List the tenant tree."""
    async with opened.database.read() as tx:
        nodes = await list_entities(tx)
    by_path = sorted(nodes, key=lambda node: path_ids(node[0].path))
    rows = [
        ["  " * (len(path_ids(ref.path)) - 1) + ref.entry, name, TYPE_NAMES[EntityType(ref.type)]]
        for ref, name in by_path
    ]
    return Answer(
        {"entities": [describe(ref, name) for ref, name in by_path]},
        show=show_table(
            ["entry", "name", "type"],
            rows,
            "There is no organisation yet: `authreset organization add`, or `authreset demo`.",
        ),
    )


async def change(opened: Opened, entry: str, pairs: Sequence[str]) -> Outcome:
    """Change what a node sets, or without any pair show it."""
    changes = parse_settings(pairs)
    if isinstance(changes, BadValue):
        return to_refusal(changes)
    async with opened.database.begin() as tx:
        entity = await find_entity(tx, entry)
        if entity is None:
            return no_such_entry(entry)
        if changes:
            own = await set_settings(tx, entity, changes, actor=opened.actor, now=opened.clock())
        else:
            own = await load_own_settings(tx, entity.id)
    return _show_settings(entry, own)


def _show_settings(entry: str, own: dict[str, Any]) -> Answer:
    return Answer(
        {"entry": entry, "settings": own},
        show=show_table(
            ["setting", "value"],
            [[name, str(own[name])] for name in sorted(own)],
            f"{entry} sets nothing for itself and inherits everything.",
        ),
    )


def describe(ref: EntityRef, name: str) -> dict[str, Any]:
    """Return a node as programs read it."""
    return {
        "id": ref.id,
        "type": TYPE_NAMES[EntityType(ref.type)],
        "entry_type": ref.type,
        "entry": ref.entry,
        "name": name,
        "root_id": ref.root_id,
    }
