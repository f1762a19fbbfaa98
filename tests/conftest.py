"""What every test may ask for: databases, a clock, bytes from a seed. No test data lives here."""

from collections.abc import AsyncIterator, Iterator

import pytest

from authreset.store.database import Database
from tests.support.databases import (
    FakeClock,
    PostgresDatabases,
    SeededBytes,
    SqliteDatabases,
    Tree,
    open_database,
    plant_tree,
)
from tests.support.pgbouncer import pgbouncer
from tests.support.postgres import PostgresServer, postgres_server


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let every asynchronous test be run, without a mark on each."""
    config.option.anyio_mode = "auto"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run on asyncio, as the product does."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Run one PostgreSQL server for the whole session. Do not stop it: other tests share it."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def pooler(postgres: PostgresServer) -> Iterator[int]:
    """Run PgBouncer, in transaction mode, before the session's PostgreSQL; tell its port."""
    with pgbouncer(postgres) as port:
        yield port


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    """Make fresh SQLite databases."""
    return SqliteDatabases(tmp_path_factory.mktemp("databases"))


@pytest.fixture(scope="session")
def postgres_databases(postgres: PostgresServer) -> PostgresDatabases:
    """Make fresh databases on the session's PostgreSQL."""
    return PostgresDatabases(postgres)


@pytest.fixture
def sqlite_url(sqlite_databases: SqliteDatabases) -> Iterator[str]:
    """Make a migrated, empty SQLite database."""
    url = sqlite_databases.make()
    yield url
    sqlite_databases.drop(url)


@pytest.fixture
def postgres_url(postgres_databases: PostgresDatabases) -> Iterator[str]:
    """Make a migrated, empty PostgreSQL database."""
    url = postgres_databases.make()
    yield url
    postgres_databases.give_back(url)


@pytest.fixture
def pooled_url(pooler: int, postgres: PostgresServer, postgres_url: str) -> str:
    """Make a migrated, empty PostgreSQL database that is reached through PgBouncer."""
    return f"{postgres_url.replace(str(postgres.port), str(pooler))}?pooler=transaction"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """Make a migrated, empty database: the test runs once on each kind."""
    made: str = request.getfixturevalue(f"{request.param}_url")
    return made


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """Open a migrated, empty database: the test runs once on each kind."""
    database = open_database(url)
    yield database
    await database.close()


@pytest.fixture
async def another(url: str) -> AsyncIterator[Database]:
    """Open the same database once more, as a second process does."""
    database = open_database(url)
    yield database
    await database.close()


@pytest.fixture
async def tree(database: Database) -> Tree:
    """Plant two root organisations with their users."""
    async with database.begin() as tx:
        return await plant_tree(tx)


@pytest.fixture
def clock() -> FakeClock:
    """Make a clock that is moved by hand."""
    return FakeClock()


@pytest.fixture
def random_bytes() -> SeededBytes:
    """Make bytes from a seed."""
    return SeededBytes()
