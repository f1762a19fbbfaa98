"""API tokens and OAuth clients from the command line. What is shown once is stored as a digest."""

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from authreset.flows.issue_token import add_months
from authreset.rules.tokens import TokenKind, digest_token
from authreset.store.api_tokens import ApiTokenRow, find_api_token
from authreset.store.oauth_clients import OauthClient, find_oauth_client
from tests.cli.program import Program

ISSUE = ("token", "issue", "--entry", "pilgrim-planner", "--type")


def find_token(program: Program, token: str) -> ApiTokenRow | None:
    async def load(tx: Any) -> ApiTokenRow | None:
        return await find_api_token(tx, digest_token(token))

    return program.look(load)


def find_client(program: Program, client_id: str, secret: str) -> OauthClient | None:
    async def load(tx: Any) -> OauthClient | None:
        return await find_oauth_client(tx, client_id, digest_token(secret))

    return program.look(load)


def stored_bytes(program: Program) -> bytes:
    with sqlite3.connect(program.data_dir / "authreset.db") as connection:
        return "\n".join(connection.iterdump()).encode()


@pytest.mark.parametrize("kind", ["organization", "application"])
def test_a_token_is_shown_once_and_stored_as_a_digest(demo: Program, kind: str) -> None:
    issued = demo.do(*ISSUE, kind, "--network", "203.0.113.0/24", "--network", "2001:db8::/32")
    token = issued["token"]
    assert token[:2] == kind[0] + "."
    assert token.encode() not in stored_bytes(demo)
    row = find_token(demo, token)
    assert row is not None
    assert (row.id, row.kind.name.lower(), row.mode) == (issued["id"], kind, "private")
    assert row.networks == ("203.0.113.0/24", "2001:db8::/32")
    assert token not in demo("token", "list", "--entry", "pilgrim-planner").out


def test_people_get_the_token_on_a_line_of_its_own(demo: Program) -> None:
    first = demo(*ISSUE, "organization").out.splitlines()[0]
    assert find_token(demo, first) is not None


@pytest.mark.parametrize(("months", "days"), [("1", 28), ("24", 730)])
def test_it_lives_for_so_many_months(demo: Program, months: str, days: int) -> None:
    issued = demo.do(*ISSUE, "organization", "--months", months, "--mode", "public")
    expires_at = datetime.fromisoformat(issued["expires_at"])
    left = expires_at - datetime.now(UTC)
    assert timedelta(days=days - 1) < left < timedelta(days=days + 4)
    assert issued["mode"] == "public"


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [("2026-01-31", 1, "2026-02-28"), ("2027-12-31", 2, "2028-02-29"), ("2026-11-23", 24,
      "2028-11-23"), ("2026-12-15", 1, "2027-01-15")],
)  # fmt: skip
def test_months_are_those_of_the_calendar(start: str, months: int, end: str) -> None:
    added = add_months(datetime.fromisoformat(f"{start}T08:00+00:00"), months)
    assert added == datetime.fromisoformat(f"{end}T08:00+00:00")


@pytest.mark.parametrize("network", ["10.0.0.1/24", "everywhere", "10.0.0.0/33"])
def test_a_network_that_is_none_is_refused(demo: Program, network: str) -> None:
    assert network in demo.refuse(*ISSUE, "organization", "--network", network)["todo"]


def test_an_unknown_entry_is_refused(demo: Program) -> None:
    for verb in (("token", "issue", "--type", "organization"), ("token", "list")):
        assert "'nowhere'" in demo.refuse(*verb, "--entry", "nowhere")["error"]


def test_a_token_is_revoked_once_by_its_id(demo: Program) -> None:
    issued = demo.do(*ISSUE, "application")
    demo.do("token", "revoke", str(issued["id"]))
    row = find_token(demo, issued["token"])
    assert row is not None
    assert row.revoked_at is not None
    demo.refuse("token", "revoke", str(issued["id"]))
    states = {
        one["id"]: one["state"]
        for one in demo.do("token", "list", "--entry", "pilgrim-planner")["tokens"]
    }
    assert states[issued["id"]] == "revoked"
    assert set(states.values()) == {"active", "revoked"}


def test_a_leaked_token_is_revoked_by_itself(demo: Program) -> None:
    issued = demo.do(*ISSUE, "application")
    revoked = demo.do("token", "revoke", "--token-stdin", stdin=issued["token"] + "\n")
    assert revoked["id"] == issued["id"]
    refusal = demo.refuse("token", "revoke", "--token-stdin", stdin="o.nothing")
    assert "nothing" not in refusal["error"]


def test_an_application_token_may_do_more_than_an_organization_token(demo: Program) -> None:
    row = find_token(demo, demo.do("demo")["application_token"])
    assert row is not None
    assert row.kind is TokenKind.APPLICATION


def test_a_client_rotates_its_secret_without_a_gap(demo: Program) -> None:
    added = demo.do("client", "add", "--entry", "pilgrim-planner", "--name", "Web shop",
                    "--permission", "authreset")  # fmt: skip
    client_id, old = added["client_id"], added["client_secret"]
    new = demo.do("client", "rotate", client_id, "--entry", "pilgrim-planner")["client_secret"]
    assert find_client(demo, client_id, old) is not None
    held = find_client(demo, client_id, new)
    assert held is not None
    assert held.permissions == ("authreset",)
    demo.refuse("client", "rotate", client_id, "--entry", "pilgrim-planner")
    demo.refuse("client", "retire", client_id, stdin="wrong\n")
    assert demo.do("client", "retire", client_id, stdin=new + "\n")["ended_secrets"] == 1
    assert find_client(demo, client_id, old) is None
    assert find_client(demo, client_id, new) is not None
    assert old.encode() not in stored_bytes(demo)
    assert new.encode() not in stored_bytes(demo)


def test_a_client_is_revoked_once(demo: Program) -> None:
    added = demo.do("client", "add", "--entry", "pilgrim-planner", "--name", "Web shop")
    demo.do("client", "revoke", added["client_id"])
    assert find_client(demo, added["client_id"], added["client_secret"]) is None
    demo.refuse("client", "revoke", added["client_id"])
    demo.refuse("client", "rotate", added["client_id"], "--entry", "pilgrim-planner")
    (listed,) = demo.do("client", "list", "--entry", "pilgrim-planner")["clients"]
    assert listed["revoked_at"] is not None
