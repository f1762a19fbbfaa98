"""The program in a fresh place, warm, with an empty database or with the demo in it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Program, Warm
from tests.support.databases import SqliteDatabases


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """Start the process that runs are forked from."""
    process = Warm(tmp_path_factory.mktemp("runs"))
    yield process
    process.close()


@pytest.fixture
def fresh(warm: Warm, tmp_path: Path) -> Program:
    """Return the program where nothing was ever started."""
    return Program(warm, tmp_path / "data")


@pytest.fixture
def program(fresh: Program, sqlite_databases: SqliteDatabases) -> Program:
    """Return the program with an empty database."""
    url = sqlite_databases.make()
    fresh.place(Path(url.removeprefix("sqlite:///")))
    sqlite_databases.drop(url)
    return fresh


@pytest.fixture(scope="session")
def demo_dir(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill the demo once."""
    directory = tmp_path_factory.mktemp("demo") / "data"
    Program(warm, directory).do("demo")
    return directory


@pytest.fixture
def demo(fresh: Program, demo_dir: Path) -> Program:
    """Return the program with the demo in it."""
    shutil.copytree(demo_dir, fresh.data_dir)
    return fresh
