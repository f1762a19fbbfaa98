"""Many waiters, one commit. What is committed is the caller's matter."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeAlias, TypeVar

from authreset.store.database import StoreUnavailable

T = TypeVar("T")

Done: TypeAlias = Callable[[Exception | None], None]
"""Told how a commit went; must not raise."""


QUICK_SECONDS = 0.003
"""A commit that takes longer waits for its disk, which writes one at a time."""


class QueueFull(Exception):
    """Too many wait for the disk already."""


class SharedCommit(Generic[T]):
    """Collects items and commits them together, without anyone waiting on purpose.

    A flush starts as soon as the last one ended and takes all that came meanwhile, at most
    `most_at_once`; a lone item is flushed at once. `commit` makes the items durable or raises.
    While commits are quick, up to `flights` of it run at the same time, so that one can be filled
    while another is written. With `patience`, everybody is told after so many seconds at the
    latest: a commit that is not done by then is cancelled, and may have happened all the same.
    """

    def __init__(
        self,
        commit: Callable[[list[T]], Awaitable[None]],
        *,
        most_waiting: int = 4096,
        most_at_once: int = 512,
        flights: int = 1,
        patience: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._commit = commit
        self._most_waiting = most_waiting
        self._most_at_once = most_at_once
        self._waiting: list[tuple[T, Done, float]] = []  # and when it came
        self._flights = flights
        self._patience = patience
        self._monotonic = monotonic
        self._under_way = 0
        self._commit_took = 0.0  # seconds, the last one
        self._tasks: set[asyncio.Task[None]] = set()

    def add_soon(self, item: T, done: Done) -> None:
        """Take an item; `done` is called with None once it is on disk, else with the fault.

        The fault is StoreUnavailable when the database did not take it, or the database's own
        error when it refused this very item. Raises QueueFull at once when too many wait.
        """
        if len(self._waiting) >= self._most_waiting:
            raise QueueFull
        loop = asyncio.get_running_loop()
        self._waiting.append((item, done, loop.time()))
        if len(self._waiting) == 1 and self._has_room():
            self._under_way += 1
            task = loop.create_task(self._flush_all())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def add(self, item: T) -> None:
        """Return once the item is on disk. Raises QueueFull and what `add_soon` calls a fault."""
        on_disk: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(fault: Exception | None) -> None:
            if on_disk.done():  # the caller hung up and cancelled its wait
                return
            if fault is None:
                on_disk.set_result(None)
            else:
                on_disk.set_exception(fault)

        self.add_soon(item, done)
        await on_disk

    async def drain(self) -> None:
        """Wait until everything that was taken is flushed."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _is_quick(self) -> bool:
        return self._commit_took < QUICK_SECONDS

    def _has_room(self) -> bool:
        return self._under_way < (self._flights if self._is_quick() else 1)

    async def _flush_all(self) -> None:
        try:
            while self._waiting:
                if not self._is_quick():
                    await self._gather()
                batch = self._waiting[: self._most_at_once]
                del self._waiting[: self._most_at_once]
                await self._flush(batch)
        finally:
            # Counted here and not when the task is done: an item may come between the two.
            self._under_way -= 1

    async def _gather(self) -> None:
        """Let the loop hand in what has arrived, as long as every turn of it brings more.

        Callers who were just told come back one after the other. The first of them, flushed alone,
        would make all others wait for one more slow commit.
        """
        seen, until = 0, self._monotonic() + self._commit_took / 2
        while seen < len(self._waiting) < self._most_at_once and self._monotonic() < until:
            seen = len(self._waiting)
            await asyncio.sleep(0)

    async def _flush(self, batch: list[tuple[T, Done, float]]) -> None:
        fault: Exception | None = None
        try:
            await self._commit_in_time(batch)
        except StoreUnavailable as error:
            fault = error
        except Exception as error:
            if len(batch) > 1:
                # One bad row must not fail its neighbours: what cannot be stored fails alone.
                for one in batch:
                    await self._flush([one])
                return
            fault = error
        for _, done, _ in batch:
            done(fault)

    async def _commit_in_time(self, batch: list[tuple[T, Done, float]]) -> None:
        deadline = None if self._patience is None else batch[0][2] + self._patience
        if deadline is not None and asyncio.get_running_loop().time() >= deadline:
            raise StoreUnavailable("TimeoutError")  # not begun: what is cut off may have happened
        begun_at = self._monotonic()
        try:
            async with asyncio.timeout_at(deadline):
                await self._commit([item for item, _, _ in batch])
        except TimeoutError as error:
            raise StoreUnavailable("TimeoutError") from error
        finally:
            self._commit_took = self._monotonic() - begun_at
