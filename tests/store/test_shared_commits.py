"""One commit for many, no waiting on purpose, and each failure where it belongs."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from authreset.store.database import StoreUnavailable
from authreset.store.shared_commits import QueueFull, SharedCommit


class Disk:
    """Commits when it is let, and remembers what came together."""

    def __init__(self, judge: Callable[[list[int]], Exception | None] = lambda _: None) -> None:
        self.flushes: list[list[int]] = []
        self._judge = judge
        self._free = asyncio.Event()
        self._free.set()

    def hold(self) -> None:
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()

    async def commit(self, items: list[int]) -> None:
        self.flushes.append(list(items))
        await self._free.wait()
        fault = self._judge(items)
        if fault is not None:
            raise fault


async def settled(*waiting: Awaitable[None]) -> list[BaseException | None]:
    return await asyncio.gather(*waiting, return_exceptions=True)


async def start(*waiting: Awaitable[None], turns: int = 2) -> list["asyncio.Task[None]"]:
    tasks = [asyncio.ensure_future(one) for one in waiting]
    for _ in range(turns):
        await asyncio.sleep(0)
    return tasks


async def test_lone_item_is_flushed_at_once():
    disk = Disk()
    await SharedCommit(disk.commit).add(1)
    assert disk.flushes == [[1]]


async def test_all_that_comes_during_a_flush_shares_the_next():
    disk = Disk()
    commits = SharedCommit(disk.commit)
    disk.hold()
    first = await start(commits.add(0))
    others = await start(*(commits.add(n) for n in range(1, 100)))
    disk.let_go()
    await asyncio.gather(*first, *others)
    assert disk.flushes == [[0], list(range(1, 100))]


async def test_flush_takes_no_more_than_its_bound():
    disk = Disk()
    commits = SharedCommit(disk.commit, most_at_once=10)
    await settled(*(commits.add(n) for n in range(25)))
    assert [len(one) for one in disk.flushes] == [10, 10, 5]


async def test_nobody_is_told_before_the_commit_ended():
    disk = Disk()
    disk.hold()
    (waiting,) = await start(SharedCommit(disk.commit).add(1))
    assert disk.flushes == [[1]]
    assert not waiting.done()
    disk.let_go()
    await waiting


async def test_bad_item_fails_alone():
    disk = Disk(lambda items: ValueError("bad row") if 13 in items else None)
    commits = SharedCommit(disk.commit)
    outcomes = await settled(*(commits.add(n) for n in range(20)))
    assert [n for n, one in enumerate(outcomes) if one is not None] == [13]
    assert isinstance(outcomes[13], ValueError)


async def test_commit_that_the_database_did_not_take_fails_exactly_its_own():
    disk = Disk(lambda items: StoreUnavailable("gone") if 1 in items else None)
    commits = SharedCommit(disk.commit)
    disk.hold()
    first = await start(commits.add(0))
    second = await start(commits.add(1), commits.add(2))
    disk.let_go()
    outcomes = await settled(*first, *second)
    assert [type(one) for one in outcomes] == [type(None), StoreUnavailable, StoreUnavailable]
    assert disk.flushes == [[0], [1, 2]]  # an outage is not answered by asking once more a row
    await commits.add(3)


async def test_beyond_its_bound_it_is_full_and_takes_again_later():
    disk = Disk()
    commits = SharedCommit(disk.commit, most_waiting=3)
    disk.hold()
    tasks = await start(commits.add(0))
    tasks += await start(*(commits.add(n) for n in (1, 2, 3)))
    with pytest.raises(QueueFull):
        await commits.add(4)
    disk.let_go()
    await asyncio.gather(*tasks)
    await commits.add(5)
    assert disk.flushes == [[0], [1, 2, 3], [5]]


async def test_caller_who_hangs_up_spoils_nothing():
    disk = Disk()
    commits = SharedCommit(disk.commit)
    disk.hold()
    gone, stays = await start(commits.add(1), commits.add(2))
    gone.cancel()
    await settled(gone)
    disk.let_go()
    await stays
    await commits.add(3)
    assert disk.flushes == [[1, 2], [3]]


async def test_draining_waits_for_what_was_taken():
    disk = Disk()
    commits = SharedCommit(disk.commit, most_at_once=1)
    told: list[Exception | None] = []
    for n in range(3):
        commits.add_soon(n, told.append)
    await commits.drain()
    assert told == [None, None, None]
    await commits.drain()  # with nothing left, at once


async def test_item_added_when_told_is_flushed_too():
    """What a caller does with the news must not be lost between two flushes."""
    disk = Disk()
    commits = SharedCommit(disk.commit)
    told: list[Exception | None] = []
    commits.add_soon(1, lambda _: commits.add_soon(2, told.append))
    await commits.drain()
    assert told == [None]
    assert disk.flushes == [[1], [2]]


class Watch:
    """A clock that stands still until it is put forward."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def timed(disk: Disk, took: float, flights: int = 1) -> tuple[SharedCommit[int], Watch]:
    """Return commits to a disk that take so long, by the watch that is returned with them."""
    watch = Watch()

    async def commit(items: list[int]) -> None:
        await disk.commit(items)
        watch.now += took

    return SharedCommit(commit, flights=flights, monotonic=watch), watch


class TestTwoFlights:
    """Two commits at once while they are quick; one where each waits for a slow disk."""

    async def test_quick_commits_overlap(self):
        disk = Disk()
        commits, _ = timed(disk, 0.001, flights=2)
        await commits.add(0)
        disk.hold()
        tasks = [task for n in (1, 2, 3) for task in await start(commits.add(n))]
        assert disk.flushes == [[0], [1], [2]]  # the third waits for one of the two
        disk.let_go()
        await asyncio.gather(*tasks)
        assert disk.flushes == [[0], [1], [2], [3]]

    async def test_slow_commits_do_not(self):
        disk = Disk()
        commits, _ = timed(disk, 0.005, flights=2)
        await commits.add(0)
        disk.hold()
        tasks = [task for n in (1, 2, 3) for task in await start(commits.add(n))]
        assert disk.flushes == [[0], [1]]
        disk.let_go()
        await asyncio.gather(*tasks)
        assert disk.flushes == [[0], [1], [2, 3]]


class TestCallersWhoComeBack:
    """A batch, once told, comes back one caller a turn of the loop; it shares a commit again."""

    async def come_back(self, commits: SharedCommit[int], watch: Watch, pause: float) -> None:
        tasks = []
        for n in range(10, 16):
            watch.now += pause
            tasks.append(asyncio.ensure_future(commits.add(n)))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)

    async def test_they_share_one_commit(self):
        disk = Disk()
        commits, watch = timed(disk, took=0.005)
        await settled(*(commits.add(n) for n in range(6)))
        await self.come_back(commits, watch, pause=0.0001)
        assert disk.flushes == [[*range(6)], [*range(10, 16)]]

    async def test_gathering_ends_after_half_a_commit(self):
        disk = Disk()
        commits, watch = timed(disk, took=0.005)
        await settled(*(commits.add(n) for n in range(6)))
        await self.come_back(commits, watch, pause=0.001)
        first_back = disk.flushes[1]
        assert 2 <= len(first_back) <= 4
        assert [one for flush in disk.flushes[1:] for one in flush] == [*range(10, 16)]

    async def test_nobody_waits_when_the_next_turn_brings_nothing(self):
        disk = Disk()
        commits, _ = timed(disk, took=60.0)
        await settled(*(commits.add(n) for n in range(6)))
        disk.hold()
        (task,) = await start(commits.add(7), turns=3)
        assert disk.flushes[1:] == [[7]]  # although half a commit would be half a minute
        disk.let_go()
        await task
