"""Filling a database by INSERTs whose rows the server makes up. What they look like: `content`."""

import asyncio
import os
from typing import Any

import asyncpg

from bench.scaling.content import Content, fills
from bench.scaling.stage import Stage

CHUNK = 50_000
NICENESS = 19
"""Filling steps aside for whatever else the machine does; what is measured does not."""


async def seed(url: str, content: Content, stage: Stage) -> None:
    """Fill a migrated, empty database, and let it rest as a live one does after its vacuum."""
    connection = await asyncpg.connect(url)
    try:
        await _step_aside(connection)
        # No foreign key is asked for each of millions of rows, and no commit is waited for.
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("SET synchronous_commit = off")
        for fill in fills(content):
            with stage.step(f"filling {fill.table} with {fill.rows:,} rows", fill.rows) as step:
                for first in range(0, fill.rows, CHUNK):
                    last = min(first + CHUNK, fill.rows)
                    await connection.execute(fill.statement, first, last - 1)
                    step.advance(last - first)
        with stage.step("vacuum and checkpoint", 1):
            await connection.execute("VACUUM (ANALYZE)")
            await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def _step_aside(connection: Any) -> None:
    backend = await connection.fetchval("SELECT pg_backend_pid()")
    await asyncio.to_thread(os.setpriority, os.PRIO_PROCESS, backend, NICENESS)
