"""The roles of the service on PostgreSQL: made by `migrate --roles`, and met by other verbs."""

from collections.abc import Iterator

import pytest

from authreset.store.roles import APP, INTAKE, WORKER
from tests.cli.program import Program
from tests.support.postgres import PostgresServer

NAME = "roles_of_the_service"


@pytest.fixture(scope="module")
def server(postgres: PostgresServer) -> Iterator[PostgresServer]:
    postgres.create_database(NAME)
    yield postgres
    postgres.drop_database(NAME)


def test_the_embedded_database_has_none(program: Program) -> None:
    program.refuse("migrate", "--roles")


def test_they_are_made_with_the_tables_and_again_without_harm(
    program: Program, server: PostgresServer
) -> None:
    for _ in range(2):
        done = program.do("migrate", "--roles", DATABASE_URL=server.url(NAME))
        assert set(done["roles"]) == {INTAKE, APP, WORKER}
    people = program("migrate", "--roles", DATABASE_URL=server.url(NAME)).out
    assert "ALTER ROLE" in people


def test_a_verb_that_the_role_may_not_run_names_the_owner(
    program: Program, server: PostgresServer
) -> None:
    program.do("migrate", "--roles", DATABASE_URL=server.url(NAME))
    refusal = program.refuse(
        "organization", "add", "--entry", "root", "--name", "Root",
        DATABASE_URL=server.url(NAME, user=APP),
    )  # fmt: skip
    assert "permission denied" in refusal["error"]
    assert "owner" in refusal["todo"]


@pytest.mark.parametrize("role", [APP, WORKER])
def test_the_doctor_examines_what_the_role_may_see(
    program: Program, server: PostgresServer, role: str
) -> None:
    program.do("migrate", "--roles", DATABASE_URL=server.url(NAME))
    entry = f"root-of-{role}"
    program.do(
        "organization", "add", "--entry", entry, "--name", "Root", DATABASE_URL=server.url(NAME)
    )  # fmt: skip
    result = program(
        "doctor", "--json", DATABASE_URL=server.url(NAME, user=role),
        INTAKE_DATABASE_URL=server.url(NAME, user=INTAKE),
    )  # fmt: skip
    verdicts = {one["check"]: one["verdict"] for one in result.json["checks"]}
    assert (verdicts["database"], verdicts["intake_database"]) == ("ok", "ok")
    assert ("traffic" in verdicts) == (role == WORKER)
