"""The core of the contract through PgBouncer in transaction mode.

Every transaction may meet another server connection, which knows nothing of what was prepared,
set or locked before.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from authreset.rules.outcomes import LetterState, RequestOutcome
from authreset.store import tables
from authreset.store.database import Database, StoreUnavailable
from authreset.store.letters import Attempt, add_letters, lease_due, record_attempts
from authreset.store.mailboxes import lock_mailboxes, save_hits
from authreset.store.requests import Settlement, claim_waiting, settle
from authreset.store.resets import add_resets, claim_reset
from authreset.store.schema import migrate, schema_state
from tests.support.databases import (
    START,
    SeededBytes,
    Tree,
    add_requests,
    new_letter,
    new_reset,
    open_database,
    plant_tree,
)
from tests.support.pgbouncer import SERVER_CONNECTIONS
from tests.support.postgres import PostgresServer

WORKERS = 8


@pytest.fixture
async def pooled(pooled_url: str) -> AsyncIterator[Database]:
    database = open_database(pooled_url)
    yield database
    await database.close()


@pytest.fixture
async def tree(pooled: Database) -> Tree:
    async with pooled.begin() as tx:
        return await plant_tree(tx)


async def test_more_clients_than_server_connections(pooled: Database) -> None:
    """Without this the other tests would prove nothing."""
    pids: set[int] = set()

    async def ask() -> None:
        for _ in range(10):
            async with pooled.read() as tx:
                pids.add((await tx.execute(select(func.pg_backend_pid()))).scalar_one())

    await asyncio.gather(*(ask() for _ in range(WORKERS)))
    assert 1 < len(pids) <= SERVER_CONNECTIONS


async def test_requests_are_claimed_and_settled_once(
    pooled: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    ids = [random_bytes.uuid() for _ in range(60)]
    seen: list[str] = []
    async with pooled.begin() as tx:
        await add_requests(tx, ids, tree.shop)

    async def work() -> None:
        while True:
            async with pooled.begin() as tx:
                claimed = await claim_waiting(tx, START, 5)
                hits = await lock_mailboxes(tx, [b"a", b"b"], START)
                await save_hits(tx, {one: [*hits[one], 1.0] for one in hits}, START)
                outcome = RequestOutcome.NO_USER
                await settle(
                    tx,
                    [Settlement(request_id=o.id, outcome=outcome, reason="") for o in claimed],
                    START,
                )
            seen.extend(str(one.id) for one in claimed)
            if not claimed:
                return

    await asyncio.gather(*(work() for _ in range(WORKERS)))
    assert sorted(seen) == sorted(map(str, ids))


async def test_letters_are_leased_and_recorded_once(
    pooled: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    made = [new_letter(random_bytes, tree.stranger, tree.other) for _ in range(40)]
    recorded: list[str] = []
    async with pooled.begin() as tx:
        await add_letters(tx, made)

    async def work() -> None:
        while True:
            async with pooled.begin() as tx:
                leased = await lease_due(tx, START, lease=timedelta(minutes=5), limit=4)
            async with pooled.begin() as tx:
                state = LetterState.ACCEPTED
                ended = [Attempt(letter=o, state=state, at=START, due_at=START) for o in leased]
                recorded.extend(str(one) for one in await record_attempts(tx, ended))
            if not leased:
                return

    await asyncio.gather(*(work() for _ in range(WORKERS)))
    assert sorted(recorded) == sorted(str(one.id) for one in made)


ANOTHER_PROCESS = """
import asyncio, sys
from datetime import timedelta
from authreset.store.letters import lease_due, next_due_at
from authreset.store.users import find_all_by_email
from tests.support.databases import START, open_database

async def work(database):
    for _ in range(10):
        async with database.begin() as tx:
            await next_due_at(tx)
            await lease_due(tx, START, lease=timedelta(0), limit=3)
            await find_all_by_email(tx, "a@example.com")

async def main():
    database = open_database(sys.argv[1])
    await asyncio.gather(*(work(database) for _ in range(4)))
    await database.close()

asyncio.run(main())
"""


async def test_two_processes_do_not_meet_each_others_statements(
    pooled: Database, pooled_url: str, tree: Tree, random_bytes: SeededBytes
) -> None:
    """Each counts its prepared statements from one: were they named, the names would clash."""
    async with pooled.begin() as tx:
        made = [new_letter(random_bytes, tree.stranger, tree.other) for _ in range(10)]
        await add_letters(tx, made)
    command = (sys.executable, "-c", ANOTHER_PROCESS, pooled_url)
    processes = [
        await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        for _ in range(2)
    ]
    for _, told in await asyncio.gather(*(process.communicate() for process in processes)):
        assert told.decode()[-2000:] == ""


async def test_a_reset_is_redeemed_once(
    pooled: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    reset = new_reset(random_bytes, tree.stranger, tree.other)
    async with pooled.begin() as tx:
        await add_resets(tx, [reset])

    async def claim() -> bool:
        async with pooled.begin() as tx:
            return await claim_reset(tx, reset.token_digest, START) is not None

    assert sum(await asyncio.gather(*(claim() for _ in range(WORKERS)))) == 1


async def test_migrations_go_through_a_pooler_too(postgres: PostgresServer, pooler: int) -> None:
    postgres.drop_database("through_pooler")
    postgres.create_database("through_pooler")
    url = f"postgresql://postgres@127.0.0.1:{pooler}/through_pooler?pooler=transaction"
    machines = [open_database(url) for _ in range(3)]
    applied = await asyncio.gather(*(migrate(machine) for machine in machines))
    assert sum(map(len, applied)) == 1
    assert not (await schema_state(machines[0])).is_behind
    for machine in machines:
        await machine.close()


async def test_a_worker_behind_a_pooler_looks_by_itself(pooled: Database) -> None:
    """PgBouncer would hand the listening connection to somebody else: the hint is not relied on."""
    wake = asyncio.Event()
    async with pooled.wakeups.listening(wake):
        assert wake.is_set()
        async with pooled.begin(wakes_worker=True):
            pass


async def test_a_server_lost_behind_the_pooler_is_an_outage_and_comes_back(
    postgres: PostgresServer, pooled: Database, tree: Tree
) -> None:
    async def count_users() -> int:
        async with pooled.read() as tx:
            count = select(func.count()).select_from(tables.users)
            return (await tx.execute(count)).scalar_one()

    before = await count_users()

    async def cut() -> None:
        async with pooled.begin() as tx:
            await tx.execute(select(1))
            await asyncio.to_thread(postgres.terminate_backends, str(pooled.url.database))
            await tx.execute(select(1))

    with pytest.raises(StoreUnavailable):
        await cut()
    assert await count_users() == before
