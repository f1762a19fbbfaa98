"""The tests' own PostgreSQL starts wherever the environment lies, and comes back as it was."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from authreset.store.database import Database
from authreset.store.users import FIRST_USER_ID
from tests.support.databases import PostgresDatabases, Tree, open_database, plant_tree
from tests.support.postgres import (
    INSTALLATION,
    PostgresServer,
    installed_package,
    reachable_programs,
    run_as,
    unprivileged,
)


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="authreset-test-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_programs_in_a_closed_directory_are_copied_and_run(home: Path) -> None:
    """As with an environment below /root. Who is not root runs them where they lie."""
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    package = installed_package()
    for part in (f"{package.name}/{INSTALLATION}", f"{package.name}.libs"):
        if (package.parent / part).exists():
            shutil.copytree(package.parent / part, closed / part)
    (home / "own").mkdir()
    programs = reachable_programs(closed / package.name, home / "own", unprivileged())
    assert programs.is_relative_to(home / "own" if os.geteuid() == 0 else closed)
    shown = subprocess.run(
        [str(programs / "postgres"), "--version"],
        cwd="/", capture_output=True, text=True, **run_as(unprivileged()),
    )  # fmt: skip
    assert shown.stdout.startswith("postgres (PostgreSQL)")
    assert closed.stat().st_mode & 0o777 == 0o700  # nobody's directory is opened for us


async def test_a_server_syncs_as_a_real_one(postgres: PostgresServer) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert postgres.execute(f"SHOW {setting}") == "on"


async def test_a_database_used_again_is_like_new(postgres_databases: PostgresDatabases) -> None:
    async def fill(database: Database) -> Tree:
        async with database.begin() as tx:
            return await plant_tree(tx)

    seen: list[Tree] = []
    for _ in range(2):
        url = postgres_databases.make()
        database = open_database(url)
        seen.append(await fill(database))  # left open on purpose
        postgres_databases.give_back(url)
        await database.close()
    assert seen[0] == seen[1]
    assert min(seen[1].users.values()) == FIRST_USER_ID
