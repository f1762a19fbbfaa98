"""The parts of a run: which databases each needs, and what is measured on them."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from authreset.flows.process_requests import process_requests
from bench.postgres import Cluster
from bench.scaling import disk, probes
from bench.scaling.content import Content
from bench.scaling.series import Measure, Scene, Series, take
from bench.scaling.sites import Site, open_site
from bench.scaling.stage import Stage
from bench.tables import Table

BACKLOG_ROOTS = 10


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything; the sizes of each series ascend."""

    rows: Sequence[int] = (10_000, 1_000_000, 10_000_000)
    tenants: Sequence[int] = (1, 100, 10_000)
    backlog: Sequence[int] = (1_000, 100_000, 1_000_000)
    settled: Sequence[int] = (0, 25_000, 50_000, 100_000)
    disk: int = 1_000_000
    mailed: int = 40_000
    rounds: int = 15


QUICK = Sizes(
    rows=(10_000, 100_000), tenants=(1, 100, 1_000), backlog=(1_000, 50_000),
    settled=(0, 10_000, 20_000), disk=50_000, mailed=4_000, rounds=5,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """What a part found: tables to read, and every figure for a file."""

    tables: Sequence[Table]
    figures: Any


Part = Callable[[Cluster, Sizes, Stage], Coroutine[Any, Any, Result]]


async def users(cluster: Cluster, sizes: Sizes, stage: Stage) -> Result:
    """More and more users, and a hundredth as many API tokens, in 100 tenants."""
    contents = {
        size: Content(roots=100, users=size, tokens=max(size // 100, 1_000)) for size in sizes.rows
    }
    series = Series("Cost by the number of users", "users", sizes.rows)
    return await _compare(cluster, series, contents, probes.look_ups, sizes.rounds, stage)


async def tenants(cluster: Cluster, sizes: Sizes, stage: Stage) -> Result:
    """As many requests and letters wait, for more and more tenants, in the end one for each."""
    waiting = max(sizes.tenants)
    contents = {size: _queue(roots=size, waiting=waiting) for size in sizes.tenants}
    title = f"Cost by the number of tenants among whom {waiting:,} requests and letters wait"
    series = Series(title, "tenants", sizes.tenants)
    return await _compare(cluster, series, contents, probes.queues, sizes.rounds, stage)


async def backlog(cluster: Cluster, sizes: Sizes, stage: Stage) -> Result:
    """More and more requests wait, and as many letters, for ten tenants."""
    contents = {size: _queue(roots=BACKLOG_ROOTS, waiting=size) for size in sizes.backlog}
    series = Series("Cost by the length of the backlog", "waiting", sizes.backlog)
    return await _compare(cluster, series, contents, probes.queues, sizes.rounds, stage)


def _queue(roots: int, waiting: int) -> Content:
    return Content(roots=roots, users=10_000, waiting_requests=waiting, waiting_letters=waiting)


async def _compare(
    cluster: Cluster,
    series: Series,
    contents: dict[int, Content],
    measures: Callable[[Site], Iterator[Measure]],
    rounds: int,
    stage: Stage,
) -> Result:
    async with AsyncExitStack() as stack:
        scenes = []
        for size, content in contents.items():
            site = await stack.enter_async_context(open_site(cluster, content, stage))
            scenes.append(Scene(size, list(measures(site))))
        with stage.step(f"measuring by {series.axis}", (rounds + 1) * len(scenes)) as step:
            await take(series, scenes, rounds, step.advance)
    return Result([series.table()], series.as_json())


async def snapshot(cluster: Cluster, sizes: Sizes, stage: Stage) -> Result:
    """A transaction stays open while more and more requests are settled; nothing is cleaned up."""
    axis, most = "settled meanwhile", max(sizes.settled)
    series = Series("Cost of claiming a batch while a transaction stays open", axis, sizes.settled)
    for roots in (BACKLOG_ROOTS, 1_000):
        content = Content(roots=roots, users=1_000, waiting_requests=most * 2)
        async with open_site(cluster, content, stage) as site, _left_open(site):
            with stage.step(f"settling for {roots:,} tenants", most) as step:
                await _settle_on(site, series, f"{roots:,} tenants", sizes.rounds, step.advance)
    return Result([series.table()], series.as_json())


async def _settle_on(
    site: Site, series: Series, name: str, rounds: int, tell: Callable[[int], None]
) -> None:
    settled = 0
    for size in series.sizes:
        while settled < size:
            done = len(await process_requests(site.database, site.rules, probes.BATCH))
            settled += done
            tell(done)
        for turn in range(rounds + 1):
            figure = await probes.claims(site)
            if turn:
                series.add(name, size, figure)


@asynccontextmanager
async def _left_open(site: Site) -> AsyncIterator[None]:
    connection = await asyncpg.connect(site.url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.fetchval("SELECT count(*) FROM entities")
            yield
    finally:
        await connection.close()


async def on_disk(cluster: Cluster, sizes: Sizes, stage: Stage) -> Result:
    """What rows take, loaded in one go, and what the product leaves of requests it mailed."""
    rows = sizes.disk
    content = Content(roots=100, users=rows, tokens=rows, over=rows)
    async with open_site(cluster, content, stage) as site:
        loaded = await disk.sizes(site)
    async with open_site(cluster, Content(roots=100, users=sizes.mailed), stage) as site:
        with stage.step(f"mailing {sizes.mailed:,} users", sizes.mailed) as step:
            await disk.mail_everyone(site, step)
        left = await disk.sizes(site)
    figures = {"loaded": disk.as_json(loaded), "left": disk.as_json(left)}
    tables = [disk.loaded_table(loaded, rows), disk.left_table(left, sizes.mailed)]
    return Result(tables, figures)


PARTS: dict[str, Part] = {
    "users": users,
    "tenants": tenants,
    "backlog": backlog,
    "snapshot": snapshot,
    "disk": on_disk,
}
