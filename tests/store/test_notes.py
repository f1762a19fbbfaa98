"""What is written down for operators: events and the workers' signs of life."""

from datetime import timedelta

from authreset.store.database import Database
from authreset.store.events import Event, add_events, list_user_events
from authreset.store.workers import WorkerSign, forget_worker, list_workers, sign_worker
from tests.support.databases import START


async def test_a_users_latest_events_come_in_order(database: Database) -> None:
    made = [
        Event(
            at=START + timedelta(minutes=n // 2), kind=f"kind.{n}", actor="worker", user_id=7,
            entity_id=1, subject_id="s", client_address="192.0.2.1", details={"n": n, "é": ["x"]},
        )
        for n in range(6)
    ]  # fmt: skip
    async with database.begin() as tx:
        await add_events(tx, made)
        await add_events(tx, [Event(at=START, kind="other", actor="cli", user_id=8)])
        await add_events(tx, [])
        assert await list_user_events(tx, 7) == made
        assert await list_user_events(tx, 7, limit=2) == made[-2:]
        (bare,) = await list_user_events(tx, 8)
    assert (bare.entity_id, bare.subject_id, bare.client_address, bare.details) == (
        None, None, None, {},
    )  # fmt: skip


async def test_a_worker_renews_its_sign_and_takes_it_back(database: Database) -> None:
    first = WorkerSign("a", START, START, "ok")
    renewed = WorkerSign("a", START, START + timedelta(seconds=5), "unreachable")
    other = WorkerSign("b", START, START + timedelta(seconds=1), "ok")
    async with database.begin() as tx:
        for sign in (first, other, renewed):
            await sign_worker(tx, sign)
        assert await list_workers(tx) == [renewed, other]
        await forget_worker(tx, "a")
        assert await list_workers(tx) == [other]
