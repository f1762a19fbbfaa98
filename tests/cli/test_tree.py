"""Organisations, paypoints and settings from the command line."""

from typing import Any

import pytest
from sqlalchemy import select

from authreset.store.entities import find_entity, load_profiles
from authreset.store.tables import events
from tests.cli.program import Program


def effective(program: Program, entry: str) -> Any:
    async def load(tx: Any) -> Any:
        entity = await find_entity(tx, entry)
        assert entity is not None
        return (await load_profiles(tx, [entity.id]))[entity.id].settings

    return program.look(load)


def add_organization(program: Program, entry: str, *more: str) -> dict[str, Any]:
    return program.do("organization", "add", "--entry", entry, "--name", entry.title(), *more)


def test_a_tree_is_listed_parents_before_children(program: Program) -> None:
    add_organization(program, "root")
    add_organization(program, "other")
    sub = add_organization(program, "sub", "--parent", "root")
    program.do("paypoint", "add", "--entry", "shop", "--name", "Shop", "--organization", "sub")
    listed = program.do("organization", "list")["entities"]
    assert [(one["entry"], one["type"], one["root_id"]) for one in listed] == [
        ("root", "organization", 1), ("sub", "organization", 1), ("shop", "paypoint", 1),
        ("other", "organization", 2),
    ]  # fmt: skip
    assert (sub["parent"], sub["entry_type"]) == ("root", 0)
    assert "    shop" in program("organization", "list").out


def test_an_empty_tree_says_what_to_do(program: Program) -> None:
    assert "authreset demo" in program("organization", "list").out


@pytest.mark.parametrize(
    "entry", ["", " padded", "new\nline", "tab\t", "x" * 101, "nul\x00"[:3] + "\x1b[31m"]
)
def test_entry_names_that_cannot_be_used_are_refused(program: Program, entry: str) -> None:
    refusal = program.refuse("organization", "add", "--entry", entry, "--name", "Name")
    assert refusal["error"].startswith("entry: ")
    assert program.do("organization", "list")["entities"] == []


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "x" * 201, "\u202eright to left"])
def test_names_with_control_characters_are_refused(program: Program, name: str) -> None:
    refusal = program.refuse("organization", "add", "--entry", "root", "--name", name)
    assert refusal["error"].startswith("name: ")


def test_an_entry_is_given_once(program: Program) -> None:
    add_organization(program, "root")
    program.refuse("organization", "add", "--entry", "root", "--name", "Again")
    program.refuse("paypoint", "add", "--entry", "root", "--name", "Shop", "--organization", "root")


def test_a_paypoint_stands_below_an_organization_alone(program: Program) -> None:
    add_organization(program, "root")
    program.do("paypoint", "add", "--entry", "shop", "--name", "Shop", "--organization", "root")
    for parent in ("shop", "nowhere"):
        refusal = program.refuse(
            "paypoint", "add", "--entry", "new", "--name", "New", "--organization", parent
        )
        assert parent in refusal["error"]


def test_settings_are_inherited_until_a_child_sets_its_own(program: Program) -> None:
    add_organization(program, "root", "--set", "accent=#1F5FBF", "--set", "link_minutes=30")
    add_organization(program, "sub", "--parent", "root", "--set", "link_minutes=45")
    assert effective(program, "sub").accent == "#1f5fbf"
    assert effective(program, "sub").link_minutes == 45
    changed = program.do("organization", "set", "sub", "accent=#000000", "link_minutes=")
    assert changed == {"entry": "sub", "settings": {"accent": "#000000"}}
    assert effective(program, "sub").link_minutes == 30
    assert effective(program, "root").accent == "#1f5fbf"
    assert program.do("organization", "set", "sub")["settings"] == {"accent": "#000000"}


GOOD = {
    "public_url": "https://accounts.example.com", "sender_name": "Pilgrim",
    "sender_address": "no-reply@example.com", "brand_name": "Pilgrim & Co",
    "support_address": "help@example.com", "sign_in_url": "https://example.com/in?a=b",
    "locale": "en-GB", "password_minimum": 15, "link_minutes": 1440, "accent": "#a1b2c3",
}  # fmt: skip


def test_every_setting_can_be_set(program: Program) -> None:
    add_organization(program, "root")
    pairs = [f"{name}={value}" for name, value in GOOD.items()]
    assert program.do("organization", "set", "root", *pairs)["settings"] == GOOD
    stored = effective(program, "root")
    assert {name: getattr(stored, name) for name in GOOD} == GOOD


@pytest.mark.parametrize(
    "pair",
    [
        "accent=blue", "accent=#12345", "accent=#1234567", "public_url=ftp://example.com",
        "public_url=https://example.com/?a=b", "public_url=example.com", "public_url=https://[::1",
        "sign_in_url=javascript:alert(1)", "sign_in_url=https://example.com/\"><script>",
        "sender_address=no address", "sender_address=b\u00fccher@example.com",
        "support_address=a@b", "sender_name=two\nlines", "locale=en_GB", "password_minimum=7",
        "password_minimum=65", "link_minutes=4", "link_minutes=\u0663\u0663", "link_minutes=1441",
        "colour=red", "accent",
    ],
)  # fmt: skip
def test_values_that_cannot_be_used_are_refused(program: Program, pair: str) -> None:
    add_organization(program, "root", "--set", "link_minutes=20")
    refusal = program.refuse("organization", "set", "root", "link_minutes=30", pair)
    assert refusal["error"].startswith(f"{pair.partition('=')[0]}: ")
    assert effective(program, "root").link_minutes == 20


def test_each_change_writes_an_event_that_names_who(program: Program) -> None:
    add_organization(program, "root")
    program.do("organization", "set", "root", "accent=#000000")

    async def load(tx: Any) -> Any:
        return (await tx.execute(select(events.c.kind, events.c.actor, events.c.details))).all()

    (added, changed) = program.look(load)
    assert added[0] == "organization.added"
    assert (changed[0], changed[2]) == ("settings.changed", {"names": ["accent"]})
    assert changed[1].startswith("operator:")


def test_a_value_equal_to_the_inherited_one_stays_its_own(program: Program) -> None:
    add_organization(program, "root", "--set", "accent=#111111")
    add_organization(program, "sub", "--parent", "root", "--set", "accent=#111111")
    program.do("organization", "set", "sub", "link_minutes=20")
    program.do("organization", "set", "root", "accent=#222222")
    assert effective(program, "sub").accent == "#111111"
