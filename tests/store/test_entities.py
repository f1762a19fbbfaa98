"""The tenant tree: names are unique, paths tell who is above whom, settings are inherited."""

import asyncio

import pytest
from sqlalchemy.exc import IntegrityError

from authreset.rules.outcomes import EntityType
from authreset.rules.tenancy import EntityRef
from authreset.store.database import Database, Transaction
from authreset.store.entities import (
    EntryTaken,
    add_entity,
    change_settings,
    find_entity,
    list_entities,
    load_profiles,
)
from tests.support.databases import START, Tree, add_node


async def add(
    tx: Transaction, entry: str, parent: EntityRef | None = None
) -> EntityRef | EntryTaken:
    return await add_entity(
        tx, type=EntityType.ORGANIZATION, entry=entry, name=entry, parent=parent,
        settings={}, now=START,
    )  # fmt: skip


async def test_a_path_names_every_ancestor(tree: Tree) -> None:
    assert tree.root.path == f"/{tree.root.id}/"
    assert tree.stall.path == f"/{tree.root.id}/{tree.sub.id}/{tree.stall.id}/"
    assert {one.root_id for one in (tree.root, tree.sub, tree.shop, tree.stall)} == {tree.root.id}
    assert tree.other.root_id == tree.other.id
    assert tree.root.holds(tree.stall)
    assert not tree.sub.holds(tree.shop)
    assert not tree.other.holds(tree.root)


async def test_a_node_is_found_by_its_entry(database: Database, tree: Tree) -> None:
    async with database.read() as tx:
        assert await find_entity(tx, "stall") == tree.stall
        assert await find_entity(tx, "unheard-of") is None
        listed = await list_entities(tx)
    assert [ref for ref, _ in listed] == [tree.root, tree.sub, tree.shop, tree.stall, tree.other]
    assert listed[0][1] == "Pilgrim"


async def test_an_entry_is_taken_everywhere(database: Database, tree: Tree) -> None:
    async with database.begin() as tx:
        assert await add(tx, "stall") == EntryTaken()
        assert await add(tx, "stall", tree.other) == EntryTaken()
        assert isinstance(await add(tx, "new"), EntityRef)  # the transaction goes on


async def test_of_many_who_add_one_entry_at_once_one_does(
    database: Database, another: Database
) -> None:
    async def try_to_add(db: Database) -> EntityRef | EntryTaken:
        async with db.begin() as tx:
            return await add(tx, "contested")

    added = await asyncio.gather(*(try_to_add((database, another)[n % 2]) for n in range(8)))
    assert sum(isinstance(one, EntityRef) for one in added) == 1


async def test_another_fault_than_a_taken_entry_is_told(database: Database) -> None:
    nowhere = EntityRef(404, 0, "nowhere", 404, "/404/")
    with pytest.raises(IntegrityError):
        async with database.begin() as tx:
            await add(tx, "orphan", nowhere)


async def test_settings_are_inherited_and_the_nearest_word_counts(
    database: Database, tree: Tree
) -> None:
    async with database.begin() as tx:
        await change_settings(tx, tree.root.id, {"brand_name": "Pilgrim", "link_minutes": 30})
        await change_settings(tx, tree.sub.id, {"link_minutes": 15, "locale": None})
        leaf = await add_node(tx, "leaf", parent=tree.stall, locale="de")
        profiles = await load_profiles(tx, [leaf.id, tree.shop.id, tree.other.id, 404])
    assert profiles.keys() == {leaf.id, tree.shop.id, tree.other.id}
    settings = profiles[leaf.id].settings
    assert (settings.brand_name, settings.link_minutes, settings.locale) == ("Pilgrim", 15, "de")
    assert profiles[tree.shop.id].settings.link_minutes == 30
    assert profiles[tree.shop.id].brand_name == "Pilgrim"
    assert profiles[tree.other.id].settings.link_minutes is None
    assert profiles[tree.other.id].brand_name == "Meridian"
    assert profiles[leaf.id].ref == leaf
