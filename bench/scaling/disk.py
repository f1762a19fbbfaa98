"""What rows take on disk: as they are loaded, and as the product leaves them behind."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg

from authreset.flows.process_requests import process_requests
from authreset.store.letters import record_attempts
from bench.scaling.content import address
from bench.scaling.probes import BATCH, LEASED, accepted, ask, lease
from bench.scaling.sites import Site
from bench.scaling.stage import Step
from bench.tables import Table, number

TRAIL = ("requests", "mailboxes", "resets", "letters", "events")
"""The tables in which a request that leads to a mail leaves a row."""


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of a table and of its indexes, and the rows in it."""

    table: str
    rows: int
    heap: int
    indexes: int

    def line(self, rows: int) -> list[str]:
        """Return the bytes for each of so many rows (or the megabytes for a million)."""
        figures = (self.heap, self.indexes, self.heap + self.indexes)
        return [self.table, *(number(figure / rows) for figure in figures)]


async def sizes(site: Site) -> list[Size]:
    """Measure every table that has rows."""
    connection = await asyncpg.connect(site.url)
    try:
        names = [row[0] for row in await connection.fetch(_NAMES)]
        found = [Size(name, *await connection.fetchrow(_SIZE.format(name))) for name in names]
    finally:
        await connection.close()
    return [one for one in found if one.rows]


_NAMES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
_SIZE = "SELECT count(*), pg_table_size('{0}'), pg_indexes_size('{0}') FROM {0}"


async def mail_everyone(site: Site, step: Step) -> None:
    """Let each user ask once, settle it, and record that the letter was accepted."""
    for first in range(0, site.content.users, BATCH):
        many = range(first, min(first + BATCH, site.content.users))
        await site.appender.append([ask(site, one, address(one)) for one in many])
        settled = await process_requests(site.database, site.rules, BATCH)
        await _accept_all(site)
        step.advance(len(settled))


async def _accept_all(site: Site) -> None:
    while True:
        async with site.database.begin() as tx:
            ended = [accepted(one) for one in await lease(site, tx, LEASED)]
        if not ended:
            return
        async with site.database.begin() as tx:
            await record_attempts(tx, ended)


def loaded_table(found: Sequence[Size], rows: int) -> Table:
    """Return what a million rows take, of each table that was filled with so many."""
    heads = ["MB per million rows", "table", "indexes", "together"]
    lines = [one.line(rows) for one in found if one.rows == rows]
    return Table("Size on disk, loaded and vacuumed", heads, lines)


def left_table(found: Sequence[Size], mailed: int) -> Table:
    """Return what a million mailed requests take: rows that were written, then updated."""
    heads = ["MB per million requests mailed", "table", "indexes", "together"]
    trail = [one for one in found if one.table in TRAIL]
    heap, indexes = sum(one.heap for one in trail), sum(one.indexes for one in trail)
    lines = [one.line(mailed) for one in (*trail, Size("all of them", mailed, heap, indexes))]
    return Table("Size on disk, as the product leaves it", heads, lines)


def as_json(found: Sequence[Size]) -> list[dict[str, Any]]:
    """Return every size in bytes."""
    return [asdict(one) for one in found]
