"""The demo: what it fills, that filling it again changes nothing, and that its curl line works."""

import json
import shlex
import sqlite3
from pathlib import Path

import pytest

from tests.cli.program import Program


def contents(data_dir: Path) -> dict[str, list[tuple[object, ...]]]:
    tables = ("entities", "users", "roles", "password_history", "events")
    with sqlite3.connect(data_dir / "authreset.db") as connection:
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in tables}


def test_a_second_demo_prints_the_same_and_changes_nothing(fresh: Program) -> None:
    first = fresh.do("demo")
    before = contents(fresh.data_dir)
    assert fresh.do("demo") == first
    assert contents(fresh.data_dir) == before


def test_another_key_makes_other_tokens(demo: Program) -> None:
    tokens = demo.do("demo")
    (demo.data_dir / "secret.key").write_text(f"{'k' * 43}\n")
    assert demo.do("demo")["organization_token"] != tokens["organization_token"]


def test_no_token_is_stored_in_clear(demo: Program) -> None:
    printed = demo.do("demo")
    stored = b"".join(path.read_bytes() for path in demo.data_dir.iterdir())
    for name in ("organization_token", "application_token"):
        assert printed[name].encode() not in stored
        assert printed[name][2:].encode() not in stored


def test_users_come_in_every_status(demo: Program) -> None:
    printed = demo.do("demo")
    assert {user["status_name"] for user in printed["users"]} == {
        "active", "inactive", "locked", "deleted",
    }  # fmt: skip
    stored = contents(demo.data_dir)["users"]
    assert len(stored) == len(printed["users"])
    assert printed["email"] in {user["email"] for user in printed["users"]}


def test_the_addresses_follow_host_and_port(demo: Program) -> None:
    printed = demo.do("demo", "--host", "::", "--port", "9001")
    assert printed["base_url"] == "http://[::1]:9001"
    assert printed["api_url"] == "http://[::1]:9001/api"
    assert printed["forgot_url"] == "http://[::1]:9001/forgot?entry=pilgrim-planner"
    assert printed["mailbox_url"] == "http://[::1]:9001/mailbox"


def test_the_curl_line_is_one_shell_command(demo: Program) -> None:
    printed = demo.do("demo")
    words = shlex.split(printed["curl"])
    assert words[words.index("-X") + 1 :][:2] == [
        "POST", "http://127.0.0.1:8080/api/User/authreset",
    ]  # fmt: skip
    assert f"requestToken: {printed['organization_token']}" in words
    assert json.loads(words[words.index("-d") + 1]) == {
        "email": "ada@example.com", "entry": "pilgrim-planner", "entryType": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [{"SMTP_URL": "smtp://127.0.0.1:25"}, {"PUBLIC_URL": "https://accounts.example.com"}],
    ids=["smtp", "public"],
)
def test_no_mailbox_is_promised_where_none_is_shown(
    demo: Program, settings: dict[str, str]
) -> None:
    assert demo.do("demo", **settings)["mailbox_url"] is None
    assert "letters to the demo's users go nowhere" in demo("demo", **settings).out


def test_people_get_the_lines_to_paste(demo: Program) -> None:
    printed = demo.do("demo", "--port", "9001")
    text = demo("demo", "--port", "9001").out
    lines = [line.strip() for line in text.splitlines()]
    assert "authreset serve --port 9001" in lines
    assert printed["curl"] in lines
    assert printed["mailbox_url"] in lines
