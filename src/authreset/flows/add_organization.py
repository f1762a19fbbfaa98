"""Add an organisation to the tenant tree, and change what a node sets for itself and all below it.

Also the form of what operators name and set. Nothing here prints or knows how it was typed.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from authreset.rules.addresses import is_address, is_plain_text
from authreset.rules.outcomes import EntityType
from authreset.rules.tenancy import SETTING_NAMES, EntityRef
from authreset.store.database import Transaction
from authreset.store.entities import (
    EntryTaken,
    add_entity,
    change_settings,
    find_entity,
    load_own_settings,
)
from authreset.store.events import Event, add_events

LONGEST_ENTRY = 100
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class BadValue:
    """A value cannot be used: which field, and what to write instead."""

    field: str
    problem: str


@dataclass(frozen=True, slots=True)
class NoSuchEntry:
    """No node of the wanted type has that entry name."""

    entry: str


@dataclass(frozen=True, slots=True)
class NewNode:
    """A node to add. `parent` is the entry name of the organisation above it, if there is one."""

    entry: str
    name: str
    parent: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


Added: TypeAlias = EntityRef | BadValue | NoSuchEntry | EntryTaken


async def add_organization(tx: Transaction, new: NewNode, *, actor: str, now: datetime) -> Added:
    """Add an organisation, a root where it has no parent."""
    return await add_node(tx, EntityType.ORGANIZATION, new, actor=actor, now=now)


async def add_node(
    tx: Transaction, kind: EntityType, new: NewNode, *, actor: str, now: datetime
) -> Added:
    """Add a node of either type below an organisation, and write the event."""
    if problem := check_entry(new.entry) or check_name(new.name):
        return problem
    parent = None if new.parent is None else await find_entity(tx, new.parent)
    if new.parent is not None and (parent is None or parent.type != EntityType.ORGANIZATION):
        return NoSuchEntry(new.parent)
    added = await add_entity(
        tx,
        type=kind,
        entry=new.entry,
        name=new.name,
        parent=parent,
        settings=new.settings,
        now=now,
    )
    if isinstance(added, EntityRef):
        await add_events(
            tx,
            [
                Event(
                    at=now,
                    kind=f"{kind.name.lower()}.added",
                    actor=actor,
                    entity_id=added.id,
                    details={"entry": new.entry},
                )
            ],
        )
    return added


async def set_settings(
    tx: Transaction, entity: EntityRef, changes: Mapping[str, Any], *, actor: str, now: datetime
) -> dict[str, Any]:
    """Merge changes into a node's own settings and return them; None lets one be inherited."""
    own = await load_own_settings(tx, entity.id)
    merged = {name: value for name, value in {**own, **changes}.items() if value is not None}
    await change_settings(tx, entity.id, merged)
    await add_events(
        tx,
        [
            Event(
                at=now,
                kind="settings.changed",
                actor=actor,
                entity_id=entity.id,
                details={"names": sorted(changes)},
            )
        ],
    )
    return merged


def check_entry(entry: str) -> BadValue | None:
    """Say what is wrong with an entry name: printable, no space around it, at most 100."""
    if not entry or entry != entry.strip() or not entry.isprintable():
        return BadValue("entry", "expected printable characters without spaces around them")
    if len(entry) > LONGEST_ENTRY:
        return BadValue("entry", f"expected at most {LONGEST_ENTRY} characters")
    return None


def check_name(name: str) -> BadValue | None:
    """Say what is wrong with a name for people: one line, at most 200 characters."""
    if not _is_line(name) or len(name) > LONGEST_NAME:
        return BadValue("name", f"expected one line of 1 to {LONGEST_NAME} characters")
    return None


def parse_settings(pairs: Iterable[str]) -> dict[str, Any] | BadValue:
    """Read `key=value` texts. An empty value is None: inherit it again."""
    read: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or name not in SETTING_NAMES:
            known = ", ".join(SETTING_NAMES)
            return BadValue(name, f"expected SETTING=VALUE, where SETTING is one of {known}")
        try:
            read[name] = _PARSERS[name](text) if text else None
        except ValueError as error:
            return BadValue(name, f"expected {error}")
    return read


def _is_line(text: str) -> bool:
    return bool(text.strip()) and is_plain_text(text)


def _line(text: str) -> str:
    if not _is_line(text) or len(text) > LONGEST_NAME:
        raise ValueError(f"one line of at most {LONGEST_NAME} characters")
    return text


def _address(text: str) -> str:
    # A sender whose local part is not ASCII could be mailed by few servers, and by ours by none.
    if not is_address(text) or not text.partition("@")[0].isascii():
        raise ValueError("an e-mail address such as help@example.com")
    return text


def _url(text: str) -> str:
    if not _is_web_address(text):
        raise ValueError("an address such as https://accounts.example.com")
    return text


def _is_web_address(text: str) -> bool:
    if not text.isascii() or not text.isprintable() or set(text) & set(" \"'<>\\^`{|}"):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _base_url(text: str) -> str:
    if "?" in text or "#" in text:
        raise ValueError("an address without ? and #, such as https://accounts.example.com")
    url = _url(text).rstrip("/")
    if urlsplit(url).path:
        raise ValueError("an address without a path, such as https://accounts.example.com")
    return url


def _matching(pattern: str, problem: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(problem)
        return text

    return parse


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "public_url": _base_url,
    "sender_name": _line,
    "sender_address": _address,
    "brand_name": _line,
    "accent": lambda text: _matching("#[0-9a-f]{6}", "a colour such as #1f5fbf")(text.lower()),
    "support_address": _address,
    "sign_in_url": _url,
    "locale": _matching("[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", "a language such as en or en-GB"),
    "password_minimum": _whole(8, 64),
    "link_minutes": _whole(5, 1440),
}
