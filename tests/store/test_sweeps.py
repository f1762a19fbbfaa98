"""Sweeps: what is past its time goes, a few at a time, and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, insert, select

from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import LetterState, ResetEnd
from authreset.rules.tokens import TokenKind
from authreset.store import tables
from authreset.store.api_tokens import add_api_token, sweep_access_tokens
from authreset.store.database import Database, Transaction
from authreset.store.events import Event, add_events, sweep_events
from authreset.store.letters import (
    Attempt,
    add_letters,
    find_letters,
    lease_due,
    record_attempts,
    sweep_letters,
)
from authreset.store.oauth_clients import add_oauth_client
from authreset.store.requests import sweep_requests
from authreset.store.resets import add_resets, end_resets, find_resets, sweep_resets
from authreset.store.sessions import add_session, sweep_sessions
from authreset.store.workers import WorkerSign, sign_worker, sweep_workers
from tests.support.databases import START, SeededBytes, Tree, add_requests, new_letter, new_reset

OLD, NEW = START, START + timedelta(days=2)
BEFORE = START + timedelta(days=1)

Fill = Callable[[Transaction, Tree, SeededBytes, datetime], Awaitable[None]]


async def fill_requests(tx: Transaction, tree: Tree, rb: SeededBytes, at: datetime) -> None:
    await add_requests(tx, [rb.uuid()], tree.shop, outcome="mailed", settled_at=at)


async def fill_events(tx: Transaction, tree: Tree, rb: SeededBytes, at: datetime) -> None:
    await add_events(tx, [Event(at=at, kind="kind", actor="cli")])


async def fill_sessions(tx: Transaction, tree: Tree, rb: SeededBytes, at: datetime) -> None:
    await add_session(
        tx, digest=rb(32), user_id=tree.stranger, entity_id=tree.other.id,
        created_at=START, expires_at=at,
    )  # fmt: skip


async def fill_workers(tx: Transaction, tree: Tree, rb: SeededBytes, at: datetime) -> None:
    await sign_worker(tx, WorkerSign(str(rb.uuid()), START, at, "ok"))


async def fill_letters(tx: Transaction, tree: Tree, rb: SeededBytes, at: datetime) -> None:
    letter = new_letter(rb, tree.stranger, tree.other)
    await add_letters(tx, [letter])
    done = tables.letters.update().where(tables.letters.c.id == letter.id)
    await tx.execute(done.values(state="accepted", finished_at=at))


async def fill_resets(tx: Transaction, tree: Tree, rb: SeededBytes, at: datetime) -> None:
    made = new_reset(rb, tree.stranger, tree.other, now=at, deadline=timedelta(0))
    await end_resets(tx, [tree.stranger], ResetEnd.EXPIRED, at)
    await add_resets(tx, [made])


CHORES = [
    (tables.requests, fill_requests, sweep_requests),
    (tables.events, fill_events, sweep_events),
    (tables.sessions, fill_sessions, sweep_sessions),
    (tables.workers, fill_workers, sweep_workers),
    (tables.letters, fill_letters, sweep_letters),
    (tables.resets, fill_resets, sweep_resets),
]


@pytest.mark.parametrize("chore", CHORES, ids=lambda chore: chore[0].name)
async def test_old_rows_go_a_few_at_a_time(
    database: Database, tree: Tree, random_bytes: SeededBytes, chore: tuple[object, ...]
) -> None:
    table, fill, sweep = chore
    async with database.begin() as tx:
        for at in [OLD] * 5 + [BEFORE] + [NEW]:
            await fill(tx, tree, random_bytes, at)  # type: ignore[operator]
    removed = []
    for _ in range(4):
        async with database.begin() as tx:
            removed.append(await sweep(tx, BEFORE, 2))  # type: ignore[operator]
    assert removed == [2, 2, 1, 0]
    async with database.read() as tx:
        count = select(func.count()).select_from(table)  # type: ignore[arg-type]
        assert (await tx.execute(count)).scalar_one() == 2


async def test_what_still_waits_is_never_swept(
    database: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    long_after = START + timedelta(days=999)
    reset = new_reset(random_bytes, tree.stranger, tree.other)
    letter = new_letter(random_bytes, tree.stranger, tree.other, reset=reset)
    async with database.begin() as tx:
        await add_requests(tx, [random_bytes.uuid()], tree.shop)
        await add_resets(tx, [reset])
        await add_letters(tx, [letter])
        assert await sweep_requests(tx, long_after, 10) == 0
        assert await sweep_letters(tx, long_after, 10) == 0
        assert await sweep_resets(tx, long_after, 10) == 0  # it would take its letter along
        (leased,) = await lease_due(tx, START, lease=timedelta(minutes=5), limit=1)
        ended = Attempt(letter=leased, state=LetterState.FAILED, at=START, due_at=START)
        await record_attempts(tx, [ended])
        assert await sweep_resets(tx, long_after, 10) == 1
        assert await find_resets(tx, [reset.id]) == {}
        assert await find_letters(tx, [letter.id]) == {}


async def test_only_short_lived_tokens_are_swept_and_no_id_is_given_again(
    database: Database, tree: Tree
) -> None:
    async def add(tx: Transaction, digest: bytes, client_id: str | None, at: datetime) -> int:
        return await add_api_token(
            tx, digest=digest, kind=TokenKind.ORGANIZATION, mode="private",
            entity_id=tree.root.id, networks=[], now=START, expires_at=at, client_id=client_id,
        )  # fmt: skip

    async with database.begin() as tx:
        await add_oauth_client(
            tx, client_id="c", entity_id=tree.root.id, name="C", kind=TokenKind.ORGANIZATION,
            permissions=[], now=START,
        )  # fmt: skip
        await add(tx, b"long-lived", None, OLD)
        await add(tx, b"later", "c", NEW)
        swept = await add(tx, b"short-lived", "c", OLD)
        assert await sweep_access_tokens(tx, BEFORE, 10) == 1
        assert await add(tx, b"next", "c", NEW) > swept


async def test_two_sweeps_at_once_share_the_work(
    database: Database, another: Database, tree: Tree
) -> None:
    async with database.begin() as tx:
        rows = [{"at": OLD, "kind": "k", "actor": "a", "details": {}} for _ in range(100)]
        await tx.execute(insert(tables.events), rows)

    async def work(db: Database) -> int:
        total = 0
        while True:
            async with db.begin() as tx:
                count = await sweep_events(tx, BEFORE, 10)
            total += count
            if not count:
                return total

    assert sum(await asyncio.gather(*(work(db) for db in (database, another) * 2))) == 100


async def test_a_removed_user_takes_everything_along(
    database: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    user_id = tree.users[UserStatus.ACTIVE]
    async with database.begin() as tx:
        reset = new_reset(random_bytes, user_id, tree.shop)
        await add_resets(tx, [reset])
        await add_letters(tx, [new_letter(random_bytes, user_id, tree.shop, reset=reset)])
        await tx.execute(tables.users.delete().where(tables.users.c.id == user_id))
        for table in (tables.resets, tables.letters):
            count = select(func.count()).select_from(table)
            assert (await tx.execute(count)).scalar_one() == 0
