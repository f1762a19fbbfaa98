"""A database of the throw-away cluster with the product's parts around it, as wiring opens them."""

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import asyncpg

from authreset.clock import RequestIds, utc_now
from authreset.flows.mail_links import ProcessingRules
from authreset.rules.keyrings import KeyRing, SecretKey
from authreset.rules.limits import MailboxPolicy
from authreset.store.database import Database, database_url
from authreset.store.intake import PostgresAppender
from authreset.store.schema import migrate
from bench.postgres import Cluster
from bench.scaling.content import Content
from bench.scaling.seeding import seed
from bench.scaling.stage import Stage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Site:
    """One filled database and what works on it."""

    content: Content
    database: Database
    appender: PostgresAppender
    rules: ProcessingRules
    url: str


@asynccontextmanager
async def open_site(cluster: Cluster, content: Content, stage: Stage) -> AsyncIterator[Site]:
    """Make, migrate, fill and open a database; drop it in the end."""
    name = f"scaling_{time.monotonic_ns()}"
    await _administrate(cluster, f"CREATE DATABASE {name}")
    url = cluster.url(name)
    database = Database(database_url(url, Path(os.devnull)))
    appender = PostgresAppender(database.url)
    try:
        await migrate(database)
        await seed(url, content, stage)
        yield Site(content, database, appender, _rules(), url)
    finally:
        await appender.close()
        await database.close()
        await _administrate(cluster, f"DROP DATABASE {name} WITH (FORCE)")


async def _administrate(cluster: Cluster, statement: str) -> None:
    connection = await asyncpg.connect(cluster.url())
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _rules() -> ProcessingRules:
    return ProcessingRules(
        keyring=KeyRing([SecretKey(os.urandom(32))]),
        clock=utc_now,
        new_id=RequestIds(),
        mailbox=MailboxPolicy(),
        link_lifetime=timedelta(hours=1),
    )


async def clocked(work: Callable[[], Awaitable[T]]) -> tuple[float, T]:
    """Return the milliseconds that some work took, and what it returned."""
    begun = time.perf_counter()
    done = await work()
    return (time.perf_counter() - begun) * 1000, done
