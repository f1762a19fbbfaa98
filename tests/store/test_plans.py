"""Plans at size: every hot statement finds its rows by the index that was made for it.

The statements come from the store's own functions, as PostgreSQL hears them. Each is planned twice:
for the values at hand with PostgreSQL's own settings, and for any values with the service's, as
PostgreSQL may do once a prepared statement was run a few times.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from bench.scaling.content import FIRST_USER, Content, address, root_of, token_digest
from bench.scaling.seeding import seed
from bench.scaling.stage import Stage
from rich.console import Console
from sqlalchemy import event, text

from authreset.clock import utc_now
from authreset.flows.process_requests import process_requests
from authreset.rules.outcomes import LetterState, RequestOutcome, ResetEnd, Template
from authreset.store import letters, mailboxes, requests, resets, sessions, users
from authreset.store.api_tokens import find_api_token, list_api_tokens, sweep_access_tokens
from authreset.store.database import Database, Transaction
from authreset.store.entities import find_entity
from authreset.store.events import list_user_events, sweep_events
from tests.flows.processing import processing_rules
from tests.support.databases import FakeClock, PostgresDatabases, SeededBytes, open_database
from tests.support.postgres import PostgresServer, run_apart

CONTENT = Content(
    roots=1000, users=100_000, tokens=30_000, waiting_requests=10_000, waiting_letters=10_000,
    over=40_000,
)  # fmt: skip
LIVE_RESETS = 10_000
LARGE = {
    "api_tokens", "events", "letters", "mailboxes", "requests", "resets", "roles", "sessions",
    "users",
}  # fmt: skip
NOW = utc_now() + timedelta(hours=1)
"""After everything that is filled in, however long the tests before these take."""
OLD = NOW - timedelta(days=1)
LEASE = timedelta(minutes=5)

SOME = range(40)
USERS = [FIRST_USER + n for n in SOME]
PEOPLE = [(root_of(n, CONTENT), address(n)) for n in SOME]
IDS = [UUID(int=n) for n in SOME]
DIGESTS = [n.to_bytes(32, "big") for n in SOME]
SETTLEMENTS = [
    requests.Settlement(request_id=one, outcome=RequestOutcome.NO_USER, reason="") for one in IDS
]
LETTER = letters.LeasedLetter(
    id=IDS[0], template=Template.RESET, user_id=FIRST_USER, root_id=1, entity_id=1,
    recipient=address(0), created_at=NOW, lease=1, lease_ends_at=NOW, attempts=0,
    first_attempt_at=None,
)  # fmt: skip
ATTEMPT = letters.Attempt(letter=LETTER, state=LetterState.ACCEPTED, at=NOW, due_at=NOW)
RESET = resets.Reset(
    id=IDS[0], user_id=FIRST_USER, entity_id=1, token_digest=DIGESTS[0], key_id=b"k1",
    lifetime_seconds=60, created_at=NOW, deadline_at=NOW,
)  # fmt: skip

Run = Callable[[Transaction], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Case:
    """A function of the store with values, and the indexes that its statements are to use."""

    name: str
    run: Run
    indexes: set[str]


CASES = [
    # The intake's caches, and a session.
    Case(
        "find_api_token", lambda tx: find_api_token(tx, token_digest(5)), {"uq_api_tokens_digest"}
    ),
    Case("find_entity", lambda tx: find_entity(tx, "root-5"), {"uq_entities_entry"}),
    Case("find_session", lambda tx: sessions.find_session(tx, DIGESTS[0]), {"pk_sessions"}),
    # The worker's batch.
    Case("claim", lambda tx: requests.claim_waiting(tx, NOW, 500), {"ix_requests_waiting"}),
    Case("find_users", lambda tx: users.find_users(tx, USERS), {"pk_users"}),
    Case("mailboxes", lambda tx: mailboxes.lock_mailboxes(tx, DIGESTS, NOW), {"pk_mailboxes"}),
    Case(
        "save_hits",
        lambda tx: mailboxes.save_hits(tx, {DIGESTS[0]: [1.0]}, NOW),
        {"pk_mailboxes"},
    ),
    Case(
        "look-up of many",
        lambda tx: users.find_users_by_email(tx, PEOPLE),
        {"uq_users_root_id_email_key"},
    ),
    Case(
        "look-up of one",
        lambda tx: users.find_users_by_email(tx, PEOPLE[:1]),
        {"uq_users_root_id_email_key"},
    ),
    Case("lock_users", lambda tx: users.lock_users(tx, USERS), {"pk_users"}),
    Case("role_paths", lambda tx: users.load_role_paths(tx, USERS), {"pk_roles"}),
    Case("unended", lambda tx: resets.find_unended_resets(tx, USERS), {"uq_resets_live_user_id"}),
    Case(
        "end_resets",
        lambda tx: resets.end_resets(tx, USERS, ResetEnd.EXPIRED, NOW),
        {"uq_resets_live_user_id"},
    ),
    Case(
        "waiting_letters", lambda tx: letters.find_waiting_letters(tx, IDS), {"ix_letters_reset_id"}
    ),
    Case("settle", lambda tx: requests.settle(tx, SETTLEMENTS, NOW), {"pk_requests"}),
    Case("put_off", lambda tx: requests.put_off(tx, IDS, "Error", NOW), {"pk_requests"}),
    # The mailer.
    Case(
        "lease",
        lambda tx: letters.lease_due(tx, NOW, lease=LEASE, limit=100),
        {"ix_letters_due", "pk_letters"},
    ),
    Case("next_due_at", letters.next_due_at, {"ix_letters_due"}),
    Case("find_resets", lambda tx: resets.find_resets(tx, IDS), {"pk_resets"}),
    Case("record", lambda tx: letters.record_attempts(tx, [ATTEMPT]), {"pk_letters"}),
    Case("release", lambda tx: letters.release(tx, [LETTER], NOW), {"pk_letters"}),
    Case("lifetimes", lambda tx: resets.start_lifetimes(tx, [(RESET, NOW)]), {"pk_resets"}),
    # By whichever partial index: by time and tenant, or all that wait where those are few.
    Case("hasten", lambda tx: letters.hasten_unreachable(tx, NOW), set()),
    # The way back.
    Case(
        "inspect_reset",
        lambda tx: resets.find_reset_by_digest(tx, DIGESTS[0]),
        {"uq_resets_token_digest"},
    ),
    Case(
        "claim_reset",
        lambda tx: resets.claim_reset(tx, DIGESTS[0], NOW),
        {"uq_resets_token_digest"},
    ),
    Case(
        "end sessions",
        lambda tx: sessions.delete_user_sessions(tx, FIRST_USER),
        {"ix_sessions_user_id"},
    ),
    # Operators.
    Case("find_request", lambda tx: requests.find_request(tx, IDS[0]), {"pk_requests"}),
    Case(
        "trace",
        lambda tx: requests.list_requests_for_mailbox(tx, DIGESTS[:2], "nobody5@mail.example"),
        {"ix_requests_mailbox_digest", "ix_requests_waiting"},
    ),
    Case(
        "users of an address",
        lambda tx: users.find_all_by_email(tx, address(5)),
        {"ix_users_email_key"},
    ),
    Case("find_letters", lambda tx: letters.find_letters(tx, IDS), {"pk_letters"}),
    Case("user_letters", lambda tx: letters.list_user_letters(tx, 1), {"ix_letters_user_id"}),
    Case("user_events", lambda tx: list_user_events(tx, FIRST_USER), {"ix_events_user_id_at"}),
    Case("tokens of a node", lambda tx: list_api_tokens(tx, 5), {"ix_api_tokens_entity_id"}),
    Case("count requests", lambda tx: requests.count_waiting(tx, 1000), {"ix_requests_waiting"}),
    Case("count letters", lambda tx: letters.count_by_state(tx, 1000), {"ix_letters_due"}),
    Case("oldest letter", letters.oldest_waiting_at, {"ix_letters_waiting"}),
    # Sweeps.
    Case(
        "sweep requests",
        lambda tx: requests.sweep_requests(tx, OLD, 20),
        {"ix_requests_settled_at", "pk_requests"},
    ),
    Case(
        "sweep letters",
        lambda tx: letters.sweep_letters(tx, OLD, 20),
        {"ix_letters_finished_at", "pk_letters"},
    ),
    Case(
        "sweep resets",
        lambda tx: resets.sweep_resets(tx, OLD, 20),
        {"ix_resets_deadline_at", "ix_letters_reset_id", "pk_resets"},
    ),
    Case("sweep events", lambda tx: sweep_events(tx, OLD, 20), {"ix_events_at", "pk_events"}),
    Case(
        "sweep mailboxes",
        lambda tx: mailboxes.sweep_mailboxes(tx, OLD, 20),
        {"ix_mailboxes_updated_at", "pk_mailboxes"},
    ),
    Case(
        "sweep sessions",
        lambda tx: sessions.sweep_sessions(tx, OLD, 20),
        {"ix_sessions_expires_at", "pk_sessions"},
    ),
    Case(
        "sweep tokens",
        lambda tx: sweep_access_tokens(tx, OLD, 20),
        {"ix_api_tokens_expires_at", "pk_api_tokens"},
    ),
]


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


async def statements(tx: Transaction, run: Run) -> dict[str, Any]:
    """Return each statement that a function of the store executes, with its (first) parameters."""
    seen: dict[str, Any] = {}

    def note(_c: object, _cursor: object, sql: str, given: Any, _x: object, many: bool) -> None:
        seen[sql] = tuple(given[0] if many else given)

    connection = tx.sync_connection
    assert connection is not None
    event.listen(connection, "before_cursor_execute", note)
    await run(tx)
    event.remove(connection, "before_cursor_execute", note)
    assert seen
    return seen


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
