"""The program as a whole: help, typing errors, statuses, and what it costs to start."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
import typer

from authreset.cli.app import app
from tests.cli.program import CLEAN, Program

HEAVY = ("sqlalchemy", "alembic", "argon2", "starlette", "aiosmtplib", "jinja2")


def verbs(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, one in command.commands.items():
        yield from verbs(one, *path, name)


VERBS = dict(verbs(typer.main.get_command(app)))


def real(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "authreset", *arguments]
    return subprocess.run(command, env=CLEAN, capture_output=True, text=True, timeout=60)


def test_every_stable_verb_is_there() -> None:
    assert {
        ("serve",), ("worker",), ("migrate",), ("organization", "add"), ("paypoint", "add"),
        ("user", "add"), ("token", "issue"), ("request", "trace"), ("demo",), ("doctor",),
    } <= VERBS.keys()  # fmt: skip


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_every_verb_has_help_an_example_and_json(path: tuple[str, ...]) -> None:
    verb = VERBS[path]
    assert verb.help
    assert f"authreset {' '.join(path)}" in verb.epilog
    assert "--json" in {name for option in verb.params for name in option.opts}


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from authreset.cli.app import run; status = run(['user', 'add', '--help']);"
        f"print(status, [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=CLEAN, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "0 []", done


def test_it_tells_its_version() -> None:
    done = real("--version")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"authreset {version('authreset')}\n"


def test_the_module_runs_as_a_program() -> None:
    done = real("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "organization" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [["sreve"], ["user", "add", "--email"], ["token", "issue", "--months", "25"], ["token",
     "revoke"], ["user", "set-status", "a@example.com", "asleep"], ["demo", "--port", "x"]],
    ids=" ".join,
)  # fmt: skip
def test_what_is_typed_wrongly_has_status_2(program: Program, arguments: list[str]) -> None:
    for_people = program(*arguments)
    assert (for_people.status, for_people.out) == (2, "")
    assert "Error" in for_people.err
    for_programs = program(*arguments, "--json")
    assert (for_programs.status, for_programs.err) == (2, "")
    assert for_programs.json.keys() == {"error", "todo"}


def test_settings_that_cannot_be_used_are_refused(program: Program) -> None:
    refusal = program.refuse("organization", "list", LINK_MINUTES="4")
    assert refusal["error"].startswith("AUTHRESET_LINK_MINUTES: ")


@pytest.mark.parametrize(
    "url", ["mysql://u:hush@h/d", "postgresql://u:hush@h:port/d", "hush", "sqlite:///"]
)
def test_a_database_that_cannot_be_opened_is_refused_without_its_password(
    program: Program, url: str
) -> None:
    refusal = program.refuse("organization", "list", DATABASE_URL=url)
    assert "hush" not in str(refusal)
    assert "AUTHRESET_DATABASE_URL" in refusal["error"]


def test_a_database_that_is_away_is_told(program: Program) -> None:
    refusal = program.refuse("user", "set-status", "1", "active",
                             DATABASE_URL="postgresql://u:hush@127.0.0.1:1/d")  # fmt: skip
    assert "hush" not in str(refusal)
    assert "authreset doctor" in refusal["todo"]


def test_a_directory_without_permission_is_told(program: Program) -> None:
    refusal = program.refuse("organization", "list", DATA_DIR="/dev/null/data")
    assert "/dev/null" in refusal["error"]


def test_the_embedded_database_is_migrated_by_whatever_opens_it(fresh: Program) -> None:
    assert fresh.do("organization", "list") == {"entities": []}
    assert fresh.do("migrate")["applied"] == []


def test_a_place_that_begins_with_migrate_has_its_key_too(fresh: Program) -> None:
    """Else whatever comes next takes the key for lost, and refuses to make one."""
    fresh.do("migrate")
    assert fresh.do("organization", "list") == {"entities": []}


def test_migrate_tells_what_it_applied_once(fresh: Program) -> None:
    first, second = fresh.do("migrate"), fresh.do("migrate")
    assert first["applied"]
    assert first["applied"][-1] == first["revision"] == second["revision"]
    assert second["applied"] == []


def test_a_new_key_is_another_one_each_time(program: Program) -> None:
    keys = {program.do("keys", "new")["key"] for _ in range(3)}
    assert len(keys) == 3
    assert program.do("organization", "list", SECRET_KEY=",".join(keys)) == {"entities": []}


def test_the_openapi_document_is_printed(program: Program) -> None:
    assert "/User/authreset" in str(program.do("openapi")["paths"].keys())
