"""The tenant tree: who is inside whose tree, and which settings a node inherits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class EntityRef:
    """A node of the tree. `path` lists the ids of its ancestors and its own: "/1/4/9/"."""

    id: int
    type: int
    entry: str
    root_id: int
    path: str

    def holds(self, other: "EntityRef") -> bool:
        """Tell whether the other is this node or below it."""
        return other.path.startswith(self.path)


def are_related(path: str, other: str) -> bool:
    """Tell whether one of two nodes is the other's ancestor, or both are the same.

    A user may be helped from an entry whose role cascades down to it, and from a front end that
    stands above the paypoint where the role is held. A sibling's front end may not.
    """
    return path.startswith(other) or other.startswith(path)


def path_ids(path: str) -> list[int]:
    """Return the ids in a path, the root's first."""
    return [int(part) for part in path.strip("/").split("/")]


@dataclass(frozen=True, slots=True)
class EntitySettings:
    """What a node may set for itself and for all below it. None: inherit."""

    public_url: str | None = None
    sender_name: str | None = None
    sender_address: str | None = None
    brand_name: str | None = None
    accent: str | None = None
    support_address: str | None = None
    sign_in_url: str | None = None
    locale: str | None = None
    password_minimum: int | None = None
    link_minutes: int | None = None


SETTING_NAMES = tuple(one.name for one in fields(EntitySettings))


def inherit_settings(layers: Iterable[Mapping[str, Any]]) -> EntitySettings:
    """Merge the settings of a path, the root's first; the nearest word counts."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged |= {name: layer[name] for name in SETTING_NAMES if layer.get(name) is not None}
    return EntitySettings(**merged)
