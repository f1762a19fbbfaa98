"""Least privilege: each role does its whole work and can do nothing else."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy.exc
from sqlalchemy import text

from authreset.flows.sweep import sweep
from authreset.hashing import PasswordHasher
from authreset.rules.keyrings import KeyRing
from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import LetterState
from authreset.rules.tokens import TokenKind, digest_token
from authreset.store.api_tokens import find_api_token
from authreset.store.database import Database
from authreset.store.entities import find_entity
from authreset.store.intake import PostgresAppender
from authreset.store.letters import Attempt, lease_due, record_attempts, release
from authreset.store.oauth_clients import add_oauth_client, add_oauth_secret
from authreset.store.requests import put_off
from authreset.store.resets import find_resets, start_lifetimes
from authreset.store.roles import APP, INTAKE, RIGHTS, WORKER, grant_roles, role_statements
from authreset.store.tables import metadata
from authreset.store.workers import WorkerSign, forget_worker, sign_worker
from tests.flows.conftest import hasher, keyring
from tests.flows.processing import Bench
from tests.support.databases import (
    EMAILS,
    START,
    FakeClock,
    SeededBytes,
    Tree,
    open_database,
    plant_tree,
)
from tests.support.recovery import NEW, OLD, Recovery
from tests.support.site import Site

__all__ = ["hasher", "keyring"]


@pytest.fixture
async def owner(postgres_url: str) -> AsyncIterator[Database]:
    """Open the database as the one who migrates, and make the roles."""
    database = open_database(postgres_url)
    await grant_roles(database)
    yield database
    await database.close()


@asynccontextmanager
async def open_as(role: str, url: str) -> AsyncIterator[Database]:
    database = open_database(url.replace("postgres@", f"{role}@"))
    try:
        yield database
    finally:
        await database.close()


async def is_refused(database: Database, statement: str) -> bool:
    """Tell whether the server refuses a statement for lack of a right, and for nothing else."""
    try:
        async with database.begin() as tx:
            await tx.execute(text(statement))
    except sqlalchemy.exc.ProgrammingError as error:
        return "permission denied" in str(error)
    return False


async def test_the_intake_appends_and_knows_a_token(
    owner: Database, postgres_url: str, random_bytes: SeededBytes
) -> None:
    async with owner.begin() as tx:
        tree = await plant_tree(tx)
    async with open_as(INTAKE, postgres_url) as intake:
        appender = PostgresAppender(intake.url)
        node = (tree.shop.id, tree.shop.root_id)
        email = "a@example.com"
        await appender.append([(random_bytes.uuid(), START, "api", 1, None, *node, email, "::1")])
        await appender.close()
        async with intake.read() as tx:
            assert await find_api_token(tx, b"unknown") is None
            assert await find_entity(tx, tree.shop.entry) == tree.shop


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM users",
        "SELECT count(*) FROM users",
        "SELECT 1 FROM resets",
        "SELECT 1 FROM letters",
        "SELECT 1 FROM sessions",
        "SELECT 1 FROM roles",
        "SELECT 1 FROM events",
        "SELECT 1 FROM mailboxes",
        "SELECT 1 FROM password_history",
        "SELECT digest FROM oauth_secrets",
        "SELECT email FROM requests",
        "UPDATE requests SET outcome = 'mailed'",
        "DELETE FROM requests",
        "INSERT INTO requests (outcome) VALUES ('mailed')",
        "UPDATE api_tokens SET revoked_at = NULL",
        "DELETE FROM entities",
        "INSERT INTO users DEFAULT VALUES",
        "CREATE TABLE mine (id integer)",
    ],
)
async def test_the_intake_can_do_nothing_else(
    owner: Database, postgres_url: str, statement: str
) -> None:
    async with open_as(INTAKE, postgres_url) as intake:
        assert await is_refused(intake, statement)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (APP, "SELECT email FROM requests"),
        (APP, "UPDATE requests SET outcome = NULL"),
        (APP, "UPDATE users SET email = 'mine@example.com'"),
        (APP, "INSERT INTO users DEFAULT VALUES"),
        (APP, "DELETE FROM users"),
        (APP, "INSERT INTO resets DEFAULT VALUES"),
        (APP, "UPDATE resets SET expires_at = NULL"),
        (APP, "UPDATE letters SET recipient = 'mine@example.com'"),
        (APP, "INSERT INTO entities DEFAULT VALUES"),
        (APP, "SELECT 1 FROM events"),
        (APP, "DELETE FROM events"),
        (WORKER, "UPDATE users SET password_hash = NULL"),
        (WORKER, "DELETE FROM users"),
        (WORKER, "INSERT INTO sessions DEFAULT VALUES"),
        (WORKER, "SELECT digest FROM api_tokens"),
        (WORKER, "INSERT INTO api_tokens DEFAULT VALUES"),
        (WORKER, "UPDATE letters SET recipient = 'mine@example.com'"),
        (WORKER, "SELECT 1 FROM password_history"),
        (WORKER, "SELECT details FROM events"),
        (WORKER, "SELECT 1 FROM oauth_secrets"),
    ],
)
async def test_the_others_can_do_no_more_than_their_work(
    owner: Database, postgres_url: str, role: str, statement: str
) -> None:
    async with open_as(role, postgres_url) as database:
        assert await is_refused(database, statement)


@pytest.fixture
async def tree(owner: Database) -> Tree:
    async with owner.begin() as tx:
        return await plant_tree(tx)


@pytest.fixture
async def recovery(
    owner: Database,
    tree: Tree,
    keyring: KeyRing,
    hasher: PasswordHasher,
    clock: FakeClock,
    random_bytes: SeededBytes,
) -> Recovery:
    made = Recovery(owner, tree, keyring, hasher, clock, random_bytes)
    await made.give_passwords()
    return made


async def test_the_app_serves_every_call_with_its_rights(
    owner: Database, postgres_url: str, recovery: Recovery
) -> None:
    token = await Site(recovery).add_token()
    link, reset = await recovery.make_link()
    credentials = await add_client(owner, recovery)
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(open_as(APP, postgres_url))
        site = Site(replace(recovery, database=app))
        stack.push_async_callback(site.close)
        client = await stack.enter_async_context(site.client())

        async def call(how: str, body: object, token: str = token) -> str:
            method, path = how.split()
            headers = {"requestToken": token}
            answer = await client.request(method, path, json=body, headers=headers)
            assert answer.status_code == 200, answer.text
            return str(answer.json().get("responseData"))

        asked = {"email": EMAILS[UserStatus.ACTIVE], "entry": "pilgrim", "entryType": 0}
        await call("POST /api/User/authreset", asked)
        await call("PUT /api/User/authpsw", {"psw": NEW}, link)
        session = await call("POST /api/User/auth/app", asked | {"psw": NEW})
        session = await call("POST /api/User/authrefresh", {}, session)
        await call("PUT /api/User/authpsw", {"psw": f"{OLD} once more"}, session)
        await call("POST /api/v2/Token/serverside", credentials)
        for path in ("/readyz", "/metrics", "/forgot/pilgrim", f"/reset/{link}"):
            answer = await client.get(path)
            assert answer.status_code < 500, f"{path}: {answer.text}"
    assert (await recovery.load_reset(reset)).end_reason == "used"
    assert await recovery.has_password(f"{OLD} once more")


async def add_client(owner: Database, recovery: Recovery) -> dict[str, str]:
    """Add an OAuth client and return what it sends for an access token."""
    async with owner.begin() as tx:
        await add_oauth_client(
            tx, client_id="client", entity_id=recovery.tree.root.id, name="Partner",
            kind=TokenKind.ORGANIZATION, permissions=["authreset"], now=recovery.clock(),
        )  # fmt: skip
        await add_oauth_secret(tx, "client", digest_token("secret"), recovery.clock())
    return {"clientId": "client", "clientSecret": "secret"}


async def test_the_worker_does_its_rounds_with_its_rights(
    owner: Database, postgres_url: str, clock: FakeClock
) -> None:
    bench = await Bench.set_up(owner, clock)
    await bench.ask()
    await bench.ask("nobody@example.com")
    async with open_as(WORKER, postgres_url) as worker:
        settled = await replace(bench, database=worker).settle()
        assert sorted(one.outcome for one in settled) == ["mailed", "no_user"]
        async with worker.begin() as tx:
            await put_off(tx, [one.request_id for one in settled], "fault", clock())
            (letter,) = await lease_due(tx, clock(), lease=timedelta(minutes=1), limit=9)
            assert letter.reset_id is not None
            reset = (await find_resets(tx, [letter.reset_id]))[letter.reset_id]
            await release(tx, [letter], clock())
            (letter,) = await lease_due(tx, clock(), lease=timedelta(minutes=1), limit=9)
            state = LetterState.ACCEPTED
            sent = Attempt(letter=letter, state=state, at=clock(), due_at=clock())
            assert await record_attempts(tx, [sent]) == {letter.id}
            await start_lifetimes(tx, [(reset, clock())])
            await sign_worker(tx, WorkerSign("w", clock(), clock(), "ok"))
            await sign_worker(tx, WorkerSign("w", clock(), clock(), "still ok"))
            await forget_worker(tx, "w")
        clock.advance(days=400)
        removed = await sweep(worker, clock(), timedelta(days=90))
    assert {noun for noun, count in removed.items() if count} == {
        "requests", "letters", "events", "mailboxes", "resets",
    }  # fmt: skip


def test_every_table_was_thought_of() -> None:
    """A new table is granted to somebody, or this test is told that only the owner needs it."""
    granted = {table for rights in RIGHTS.values() for table in rights}
    assert granted - {"alembic_version"} == set(metadata.tables)


async def test_granting_again_takes_back_what_was_too_much(
    owner: Database, postgres_url: str
) -> None:
    async with owner.begin() as tx:
        await tx.execute(text(f"GRANT SELECT, UPDATE (email) ON users TO {INTAKE}"))
    async with open_as(INTAKE, postgres_url) as intake:
        assert not await is_refused(intake, "SELECT id FROM users")
        assert await grant_roles(owner) == role_statements()
        assert await is_refused(intake, "SELECT id FROM users")
        assert await is_refused(intake, "UPDATE users SET email = ''")


async def test_sqlite_has_no_roles(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    assert await grant_roles(database) == []
    await database.close()
