"""Mailboxes: counted under a digest, held by one transaction at a time."""

import asyncio
from datetime import timedelta

from authreset.store.database import Database
from authreset.store.mailboxes import lock_mailboxes, save_hits, sweep_mailboxes
from tests.support.databases import START


async def test_an_unknown_mailbox_has_no_hits_and_saved_hits_come_back(database: Database) -> None:
    async with database.begin() as tx:
        assert await lock_mailboxes(tx, [b"a", b"b", b"a"], START) == {b"a": [], b"b": []}
        await save_hits(tx, {b"a": [1.5, 2.0], b"b": [3.0]}, START)
    async with database.begin() as tx:
        found = await lock_mailboxes(tx, [b"b", b"a", b"c"], START)
    assert found == {b"a": [1.5, 2.0], b"b": [3.0], b"c": []}


async def test_nothing_asked_nothing_done(database: Database) -> None:
    async with database.begin() as tx:
        assert await lock_mailboxes(tx, [], START) == {}
        await save_hits(tx, {}, START)


async def test_hits_added_by_many_at_once_all_count(database: Database, another: Database) -> None:
    digests = [b"a", b"b", b"c"]

    async def add_hit(db: Database, n: int) -> None:
        async with db.begin() as tx:
            wanted = digests if n % 2 else digests[::-1]  # in no common order: nobody deadlocks
            hits = await lock_mailboxes(tx, wanted, START)
            await save_hits(tx, {one: [*hits[one], float(n)] for one in wanted}, START)

    await asyncio.gather(*(add_hit((database, another)[n % 2], n) for n in range(12)))
    async with database.begin() as tx:
        found = await lock_mailboxes(tx, digests, START)
    assert [sorted(found[one]) for one in digests] == [[float(n) for n in range(12)]] * 3


async def test_a_rolled_back_hit_does_not_count(database: Database) -> None:
    async with database.begin() as tx:
        hits = await lock_mailboxes(tx, [b"a"], START)
        await save_hits(tx, {b"a": [*hits[b"a"], 1.0]}, START)
        await tx.rollback()
    async with database.begin() as tx:
        assert await lock_mailboxes(tx, [b"a"], START) == {b"a": []}


async def test_a_mailbox_asked_about_again_is_not_swept(database: Database) -> None:
    later = START + timedelta(hours=1)
    async with database.begin() as tx:
        await lock_mailboxes(tx, [b"a", b"b"], START)
    async with database.begin() as tx:
        await lock_mailboxes(tx, [b"a"], later)
    async with database.begin() as tx:
        assert await sweep_mailboxes(tx, later, 10) == 1
    async with database.begin() as tx:
        assert await sweep_mailboxes(tx, later, 10) == 0
        assert await sweep_mailboxes(tx, later + timedelta(seconds=1), 10) == 1
