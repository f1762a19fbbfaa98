"""Requests: claimed by one transaction at a time, settled once, put off, found again."""

import asyncio
from datetime import timedelta

from sqlalchemy import update

from authreset.rules.outcomes import RequestOutcome
from authreset.store.database import Database
from authreset.store.requests import (
    Settlement,
    claim_waiting,
    count_waiting,
    find_request,
    list_requests_for_mailbox,
    put_off,
    settle,
)
from authreset.store.tables import requests
from tests.support.databases import (
    START,
    SeededBytes,
    Tree,
    add_requests,
    open_database,
    plant_tree,
)

MOST_ATTEMPTS = 2**15 - 1  # what the column holds on PostgreSQL


async def test_a_claimed_request_tells_what_was_asked(
    database: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    (request_id,) = ids = [random_bytes.uuid()]
    async with database.begin() as tx:
        await add_requests(tx, ids, tree.stall, email="a@example.com", client_address="2001:db8::1")
        (claimed,) = await claim_waiting(tx, START, 10)
    assert claimed.id == request_id
    assert claimed.received_at == START
    assert (claimed.entity_id, claimed.entity_path) == (tree.stall.id, tree.stall.path)
    assert claimed.root_id == tree.root.id
    assert claimed.email == "a@example.com"
    assert claimed.client_address == "2001:db8::1"
    assert (claimed.user_id, claimed.attempts) == (None, 0)


async def test_the_oldest_are_claimed_first(
    database: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    ids = [random_bytes.uuid() for _ in range(6)]
    async with database.begin() as tx:
        await add_requests(tx, ids[3:], tree.shop, received_at=START + timedelta(hours=1))
        await add_requests(tx, ids[:3], tree.shop)
    async with database.begin() as tx:
        claimed = await claim_waiting(tx, START, 4)
    assert [one.id for one in claimed] == ids[:4]


async def test_a_settled_request_is_claimed_no_more(
    database: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    ids = [random_bytes.uuid() for _ in range(2)]
    letter_id = random_bytes.uuid()
    async with database.begin() as tx:
        await add_requests(tx, ids, tree.shop)
    async with database.begin() as tx:
        await claim_waiting(tx, START, 10)
        mailed = Settlement(
            request_id=ids[0],
            outcome=RequestOutcome.MAILED,
            reason="letter queued",
            mailbox_digest=b"digest",
            letter_id=letter_id,
        )
        unknown = Settlement(request_id=ids[1], outcome=RequestOutcome.NO_USER, reason="nobody")
        await settle(tx, [mailed, unknown], START + timedelta(seconds=1))
    async with database.begin() as tx:
        assert await claim_waiting(tx, START, 10) == []
        assert await count_waiting(tx) == (0, None)
        found = await find_request(tx, ids[0])
    assert found is not None
    assert found["outcome"] == "mailed"
    assert found["reason"] == "letter queued"
    assert found["settled_at"] == START + timedelta(seconds=1)
    assert found["letter_id"] == letter_id
    assert found["mailbox_digest"] == b"digest"
    assert found["entry"] == tree.shop.entry


async def test_a_rolled_back_claim_is_free_again(
    database: Database, another: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    ids = [random_bytes.uuid() for _ in range(3)]
    async with database.begin() as tx:
        await add_requests(tx, ids, tree.shop)
    async with database.begin() as tx:
        assert len(await claim_waiting(tx, START, 10)) == 3
        await settle(
            tx, [Settlement(request_id=ids[0], outcome=RequestOutcome.MAILED, reason="")], START
        )
        await tx.rollback()
    async with another.begin() as tx:
        assert [one.id for one in await claim_waiting(tx, START, 10)] == ids


async def test_a_request_put_off_waits_for_its_time_and_lets_others_pass(
    database: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    ids = [random_bytes.uuid() for _ in range(2)]
    later = START + timedelta(minutes=1)
    async with database.begin() as tx:
        await add_requests(tx, ids, tree.shop)
    async with database.begin() as tx:
        await put_off(tx, ids[:1], "x" * 500, later)
    async with database.begin() as tx:
        assert [one.id for one in await claim_waiting(tx, START, 10)] == ids[1:]
        assert await count_waiting(tx) == (2, START)
    async with database.begin() as tx:
        claimed = await claim_waiting(tx, later, 10)
    assert [(one.id, one.attempts) for one in claimed] == [(ids[0], 1), (ids[1], 0)]


async def test_a_request_is_put_off_however_often_that_was_done(
    database: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    """One that fails each minute has used up a small integer after three weeks."""
    ids = [random_bytes.uuid()]
    async with database.begin() as tx:
        await add_requests(tx, ids, tree.shop)
        await tx.execute(update(requests).values(attempts=MOST_ATTEMPTS - 1))
    for _ in range(2):
        async with database.begin() as tx:
            await put_off(tx, ids, "ValueError", START)
    async with database.begin() as tx:
        (claimed,) = await claim_waiting(tx, START, 10)
    assert claimed.attempts == MOST_ATTEMPTS


async def test_a_settled_request_cannot_be_put_off(
    database: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    ids = [random_bytes.uuid()]
    settled = Settlement(request_id=ids[0], outcome=RequestOutcome.MAILED, reason="letter queued")
    async with database.begin() as tx:
        await add_requests(tx, ids, tree.shop)
        await settle(tx, [settled], START)
        await put_off(tx, ids, "too late", START)
        found = await find_request(tx, ids[0])
    assert found is not None
    assert (found["attempts"], found["reason"]) == (0, "letter queued")


async def test_requests_of_a_mailbox_are_found_settled_or_not(
    database: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    ids = [random_bytes.uuid() for _ in range(3)]
    done = Settlement(
        request_id=ids[0], outcome=RequestOutcome.LIMITED, reason="", mailbox_digest=b"mine"
    )
    async with database.begin() as tx:
        await add_requests(tx, ids[:1], tree.shop, email="a+tag@example.com")
        await settle(tx, [done], START)
        await add_requests(
            tx, ids[1:2], tree.shop, email="A@Example.com", received_at=START + timedelta(hours=1)
        )
        await add_requests(tx, ids[2:], tree.shop, email="b@example.com")
        found = await list_requests_for_mailbox(tx, [b"mine"], "a@example.com")
    assert [one["id"] for one in found] == [ids[1], ids[0]]


async def test_two_open_transactions_never_share_a_request(
    postgres_url: str, random_bytes: SeededBytes
) -> None:
    """On SQLite two cannot be open at once: the second begins when the first has ended."""
    ids = [random_bytes.uuid() for _ in range(10)]
    database = open_database(postgres_url)
    async with database.begin() as tx:
        await add_requests(tx, ids, (await plant_tree(tx)).shop)
    async with database.begin() as first, database.begin() as second:
        assert [one.id for one in await claim_waiting(first, START, 6)] == ids[:6]
        assert [one.id for one in await claim_waiting(second, START, 6)] == ids[6:]
    await database.close()


async def test_many_workers_settle_each_request_once(
    database: Database, another: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    ids = [random_bytes.uuid() for _ in range(60)]
    async with database.begin() as tx:
        await add_requests(tx, ids[:40], tree.shop)
        await add_requests(tx, ids[40:], tree.other)
    seen: list[object] = []

    async def work(db: Database) -> None:
        while True:
            async with db.begin() as tx:
                claimed = await claim_waiting(tx, START, 7)
                settled = [
                    Settlement(request_id=one.id, outcome=RequestOutcome.NO_USER, reason="")
                    for one in claimed
                ]
                await settle(tx, settled, START)
            seen.extend(one.id for one in claimed)
            if not claimed:
                return

    await asyncio.gather(*(work(db) for db in (database, another) * 3))
    assert sorted(seen, key=str) == sorted(ids, key=str)
