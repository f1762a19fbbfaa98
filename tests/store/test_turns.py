"""Whose turn it is: fair shares as a table, and how they are found without a scan."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, text

from authreset.store.database import Database, Transaction
from authreset.store.letters import add_letters, lease_due, next_due_at
from authreset.store.requests import claim_waiting
from authreset.store.turns import MOST_ROOTS, fair_shares
from tests.support.databases import (
    START,
    SeededBytes,
    Tree,
    add_node,
    add_requests,
    new_letter,
)


@pytest.mark.parametrize(
    ("roots", "limit", "turn", "shares"),
    [
        ([], 10, 0, {}),
        ([1], 10, 0, {1: 10}),
        ([1, 2], 10, 0, {1: 5, 2: 5}),
        ([1, 2, 3], 10, 0, {1: 4, 2: 3, 3: 3}),  # the odd one goes to who begins
        ([1, 2, 3], 10, 1, {2: 4, 3: 3, 1: 3}),
        ([1, 2, 3], 2, 2, {3: 1, 1: 1}),
        ([1, 2], 0, 0, {}),
        (list(range(60)), 500, 55, dict.fromkeys([*range(55, 60), *range(45)], 10)),
    ],
)
def test_fair_shares(roots: list[int], limit: int, turn: int, shares: dict[int, int]) -> None:
    assert fair_shares(roots, limit, turn) == shares


@given(count=st.integers(1, 200), limit=st.integers(1, 600), turn=st.integers(0, 10**18))
def test_shares_are_full_and_level(count: int, limit: int, turn: int) -> None:
    shares = fair_shares(list(range(count)), limit, turn)
    assert sum(shares.values()) == limit
    assert len(shares) == min(count, limit, MOST_ROOTS)
    assert max(shares.values()) - min(shares.values()) <= 1


@given(count=st.integers(1, 200), limit=st.integers(1, 600))
def test_each_root_has_its_turn(count: int, limit: int) -> None:
    roots = list(range(count))
    served = {root for turn in range(count) for root in fair_shares(roots, limit, turn)}
    assert served == set(roots)


async def test_a_flood_of_one_root_does_not_delay_another(
    database: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    flood = [random_bytes.uuid() for _ in range(200)]
    late = [random_bytes.uuid() for _ in range(3)]
    async with database.begin() as tx:
        await add_requests(tx, flood, tree.shop)
        await add_requests(tx, late, tree.other, received_at=START + timedelta(hours=1))
    async with database.begin() as tx:
        claimed = await claim_waiting(tx, START + timedelta(hours=2), 20)
    assert {one.id for one in claimed if one.root_id == tree.other.id} == set(late)
    assert [one.id for one in claimed if one.root_id == tree.root.id] == flood[:10]


async def test_with_more_roots_than_places_time_brings_each_its_turn(
    database: Database, random_bytes: SeededBytes
) -> None:
    async with database.begin() as tx:
        roots = [await add_node(tx, f"root-{n}") for n in range(7)]
        for root in roots:
            await add_requests(tx, [random_bytes.uuid() for _ in range(3)], root)
    served: set[int] = set()
    for n in range(7):
        async with database.begin() as tx:
            claimed = await claim_waiting(tx, START + timedelta(microseconds=n), 2)
        served |= {one.root_id for one in claimed}
    assert served == {root.id for root in roots}


async def test_roots_whose_rows_are_not_due_take_no_share(
    database: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    now = START
    waiting = [new_letter(random_bytes, tree.stranger, tree.other) for _ in range(4)]
    ours = [new_letter(random_bytes, tree.stranger, tree.shop) for _ in range(10)]
    async with database.begin() as tx:
        await add_letters(tx, waiting)
        await lease_due(tx, now, lease=timedelta(minutes=5), limit=10)
        await add_letters(tx, ours)
        leased = await lease_due(tx, now, lease=timedelta(minutes=5), limit=10)
    assert {one.id for one in leased} == {one.id for one in ours}


async def test_the_next_due_letter_is_the_earliest_of_any_root(
    database: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    async with database.begin() as tx:
        assert await next_due_at(tx) is None
        for minutes, entity in ((7, tree.shop), (3, tree.other), (5, tree.shop)):
            at = START + timedelta(minutes=minutes)
            await add_letters(tx, [new_letter(random_bytes, tree.stranger, entity, now=at)])
        assert await next_due_at(tx) == START + timedelta(minutes=3)


async def test_finding_turns_reads_the_partial_index_and_not_the_rows(
    database: Database, random_bytes: SeededBytes
) -> None:
    async with database.begin() as tx:
        for n in range(5):
            root = await add_node(tx, f"root-{n}")
            settled = [random_bytes.uuid() for _ in range(400)]
            await add_requests(tx, settled, root, outcome="mailed", settled_at=START)
            await add_requests(tx, [random_bytes.uuid() for _ in range(400)], root)
    async with database.begin() as tx:
        await tx.execute(text("ANALYZE"))
    async with database.begin() as tx:
        plans = await _plans(tx, lambda: claim_waiting(tx, START, 10))
    # Who waits, what is held (SQLite: one query a root), and the held rows themselves.
    assert len(plans) == (7 if database.engine.dialect.name == "sqlite" else 3)
    for plan in plans:
        assert "Seq Scan on requests" not in plan
        assert "SCAN requests\n" not in plan
    assert all("ix_requests_waiting" in plan for plan in plans[:-1])


async def _plans(tx: Transaction, run: object) -> list[str]:
    """Return how the database would run the statements that a function of the store executes."""
    seen: list[tuple[str, object]] = []

    def note(_c: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        seen.append((statement, parameters))

    connection = tx.sync_connection
    assert connection is not None
    event.listen(connection, "before_cursor_execute", note)
    await run()  # type: ignore[operator]
    event.remove(connection, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN " if tx.dialect.name == "sqlite" else "EXPLAIN "
    plans = []
    for statement, parameters in seen:
        found = await tx.exec_driver_sql(explain + statement, parameters)  # type: ignore[arg-type]
        plans.append("".join(f"{row[-1]}\n" for row in found))
    return plans
