"""Plans at size: every hot statement finds its rows by the index that was made for it.

The statements come from the store's own functions, as PostgreSQL hears them. Each is planned twice:
for the values at hand with PostgreSQL's own settings, and for any values with the service's, as
PostgreSQL may do once a prepared statement was run a few times.
"""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from bench.scaling.content import FIRST_USER, Content, address
from bench.scaling.seeding import seed
from bench.scaling.stage import Stage
from rich.console import Console
from sqlalchemy import text

from authreset.flows.process_requests import process_requests
from authreset.rules.outcomes import RequestOutcome
from authreset.store import letters, requests
from authreset.store.database import Database, Transaction
from tests.flows.processing import processing_rules
from tests.store.hot_statements import CASES, CONTENT, LARGE, LIVE_RESETS, NOW, Case, statements
from tests.support.databases import FakeClock, PostgresDatabases, SeededBytes, open_database
from tests.support.postgres import PostgresServer, run_apart


@pytest.fixture(scope="module")
def crowded_url(postgres: PostgresServer, postgres_databases: PostgresDatabases) -> Iterator[str]:
    """Fill a database of its own."""
    url = postgres_databases.make()
    run_apart(lambda: fill(url, CONTENT))
    yield url
    postgres.drop_database(url.rpartition("/")[2])


async def fill(url: str, content: Content) -> None:
    """Fill a database; of the resets, the first ones are alive."""
    await seed(url, content, Stage(Console(quiet=True), None))
    database = open_database(url)
    async with database.begin() as tx:
        live = f"user_id < {FIRST_USER + LIVE_RESETS}"
        await tx.execute(text(f"UPDATE resets SET ended_at = NULL WHERE {live}"))
        await tx.execute(text("ANALYZE resets"))
    await database.close()


@pytest.fixture
async def crowded(crowded_url: str) -> AsyncIterator[Database]:
    """Open the filled database."""
    database = open_database(crowded_url)
    yield database
    await database.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_every_statement_uses_the_index_made_for_it(crowded: Database, case: Case) -> None:
    async with crowded.read() as tx:  # rolled back, so that every case meets the same rows
        seen = await statements(tx, case.run)
        generic = [await plan_for_any_values(tx, statement) for statement in seen]
        await tx.execute(text("SET LOCAL enable_seqscan = on"))
        custom = [await explain(tx, *one) for one in seen.items()]
    for plans in (custom, generic):
        nodes = [node for plan in plans for node in walk(plan)]
        assert case.indexes <= {index for node in nodes for index in indexes_of(node)}
        whole = [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"]
        assert not LARGE.intersection(whole)


async def test_a_batch_reads_no_more_rows_than_it_takes(crowded: Database) -> None:
    async with crowded.read() as tx:
        seen = await statements(tx, lambda tx: requests.claim_waiting(tx, NOW, 500))
        who, held, rows = [await explain(tx, *one, "ANALYZE") for one in seen.items()]
    assert rows_read(held, "requests") == rows_read(rows, "requests") == 500
    # A hop and a look at the first row for each tenant, however many rows wait behind that.
    assert rows_read(who, "requests") <= 2 * CONTENT.roots + 1


async def test_settling_a_small_table_reads_no_more_rows_than_it_settles(
    postgres_url: str,
) -> None:
    # It would be quick to read it all, but not with the same plan once a flood has filled it.
    await fill(postgres_url, Content(users=40, waiting_requests=5, over=40))
    database = open_database(postgres_url)
    async with database.read() as tx:
        settled = [
            requests.Settlement(request_id=one.id, outcome=RequestOutcome.NO_USER, reason="")
            for one in await requests.claim_waiting(tx, NOW, 500)
        ]
        seen = await statements(tx, lambda tx: requests.settle(tx, settled, NOW))
        (settling,) = [await explain(tx, *one, "ANALYZE") for one in seen.items()]
    await database.close()
    assert rows_read(settling, "requests") == 5


async def test_counting_reads_no_more_rows_than_it_counts(crowded: Database) -> None:
    async with crowded.read() as tx:
        assert (await requests.count_waiting(tx, 700))[0] == 700
        assert sum((await letters.count_by_state(tx, 700)).values()) == 700
        everything = await requests.count_waiting(tx)
        assert everything[0] == CONTENT.waiting_requests
        assert (await requests.count_waiting(tx, 700))[1] == everything[1]
        seen = await statements(tx, lambda tx: requests.count_waiting(tx, 700))
        counting = await explain(tx, *next(iter(seen.items())), "ANALYZE")
    assert rows_read(counting, "requests") == 700


async def test_a_flood_meets_no_plan_made_in_quieter_days(
    postgres_url: str, clock: FakeClock, random_bytes: SeededBytes
) -> None:
    # Small tables are best read from end to end, and PostgreSQL knows that they are small.
    await fill(postgres_url, Content(users=600, over=30))
    rules = processing_rules(clock, random_bytes)
    database = open_database(postgres_url, pool_size=1)  # which keeps its plans
    try:
        people = iter(range(600))
        for count in [5] * 8 + [500]:
            before = await sequential_scans(database)
            await ask(database, random_bytes, [next(people) for _ in range(count)])
            settled = await process_requests(database, rules, 500)
            assert [one.outcome for one in settled] == [RequestOutcome.MAILED] * count
    finally:
        after = await sequential_scans(database)
        await database.close()
    assert {name: after[name] - before[name] for name in LARGE} == dict.fromkeys(LARGE, 0)


async def ask(database: Database, random_bytes: SeededBytes, people: list[int]) -> None:
    asked = [{"id": random_bytes.uuid(), "at": NOW, "email": address(number)} for number in people]
    insert = text(
        "INSERT INTO requests (id, received_at, source, entity_id, root_id, email)"
        " VALUES (:id, :at, 'api', 1, 1, :email)"
    )
    async with database.begin() as tx:
        await tx.execute(insert, asked)


async def sequential_scans(database: Database) -> dict[str, int]:
    """Return how often each table was read from end to end, as counted so far."""
    async with database.begin() as tx:
        await tx.execute(text("SELECT pg_stat_force_next_flush()"))
    async with database.begin() as tx:
        found = await tx.execute(text("SELECT relname, seq_scan FROM pg_stat_user_tables"))
        return dict(found.all())


async def explain(
    tx: Transaction, statement: str, parameters: Any, *options: str
) -> dict[str, Any]:
    """Return the plan for these values; with the option ANALYZE also what it met."""
    words = ", ".join([*options, "FORMAT JSON"])
    found = await tx.exec_driver_sql(f"EXPLAIN ({words}) {statement}", parameters)
    return parsed(found.scalar_one())


async def plan_for_any_values(tx: Transaction, statement: str) -> dict[str, Any]:
    """Return the plan that PostgreSQL makes when it does not know the values."""
    await tx.execute(text(_GENERIC))
    query = text("SELECT pg_temp.generic_plan(:statement)")
    return parsed((await tx.execute(query, {"statement": statement})).scalar_one())


# Only what a function executes may have parameters without values.
_GENERIC = """CREATE OR REPLACE FUNCTION pg_temp.generic_plan(statement text) RETURNS json AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (GENERIC_PLAN, FORMAT JSON) ' || statement INTO plan;
    RETURN plan;
END $$ LANGUAGE plpgsql"""


def parsed(found: Any) -> dict[str, Any]:
    plan: dict[str, Any] = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return plan


def walk(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from walk(below)


def indexes_of(node: dict[str, Any]) -> list[str]:
    """Return the indexes by which a node finds rows, or those that are in an INSERT's way."""
    return [*node.get("Conflict Arbiter Indexes", []), *filter(None, [node.get("Index Name")])]


def rows_read(plan: dict[str, Any], table: str) -> int:
    """Return how many rows the scans of a table gave, over all their loops."""
    scans = [node for node in walk(plan) if node.get("Relation Name") == table]
    scans = [node for node in scans if node["Node Type"].endswith("Scan")]
    assert scans
    return sum(round(node["Actual Rows"] * node["Actual Loops"]) for node in scans)
