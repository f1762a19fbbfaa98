"""Plans on SQLite, which keeps no statistics and so plans alike for ten rows and for millions."""

import re
from collections.abc import AsyncIterator

import pytest

from authreset.store.database import Database
from authreset.store.letters import add_letters
from tests.store.hot_statements import CASES, LARGE, Case, statements
from tests.support.databases import (
    SeededBytes,
    add_requests,
    new_letter,
    open_database,
    plant_tree,
)

READS_ALL = re.compile(rf"SCAN ({'|'.join(LARGE)})(?! USING INDEX ix_[a-z]+_(waiting|due)$)")
"""What waits is few, or read up to a limit, and those indexes hold nothing else."""

READS_ALL_AND_MAY = {"trace"}
"""Asked by people, now and then. A reader holds nobody up on SQLite."""


@pytest.fixture
async def embedded(sqlite_url: str, random_bytes: SeededBytes) -> AsyncIterator[Database]:
    database = open_database(sqlite_url)
    async with database.begin() as tx:  # with something to find, so that nothing ends early
        tree = await plant_tree(tx)
        await add_requests(tx, [random_bytes.uuid()], tree.root)
        await add_letters(tx, [new_letter(random_bytes, tree.stranger, tree.other)])
    yield database
    await database.close()


@pytest.mark.parametrize(
    "case", [one for one in CASES if one.name not in READS_ALL_AND_MAY], ids=lambda case: case.name
)
async def test_no_hot_statement_reads_a_whole_table(embedded: Database, case: Case) -> None:
    async with embedded.engine.connect() as tx:
        await tx.exec_driver_sql("PRAGMA defer_foreign_keys=ON")  # the cases name rows at will
        found = await statements(tx, case.run)
        for statement, given in found.items():
            if statement.startswith("INSERT"):
                continue
            plan = await tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
            for *_, step in plan:
                assert not READS_ALL.match(step), statement
        await tx.rollback()
