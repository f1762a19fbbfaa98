"""A short-lived cache of rows: one query however many ask at once, no answer beyond its time."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class FreshCache(Generic[K, V]):
    """Keeps answers for `seconds`, counted from before the query that gave them.

    From half of that time on an answer is fetched anew behind the caller's back, so that a busy
    key never makes a caller wait. The oldest entry leaves when `capacity` is reached.
    """

    def __init__(
        self,
        load: Callable[[K], Awaitable[V]],
        *,
        seconds: float,
        monotonic: Callable[[], float],
        capacity: int = 10_000,
    ) -> None:
        self._load = load
        self._seconds = seconds
        self._monotonic = monotonic
        self._capacity = capacity
        self._kept: dict[K, tuple[float, V]] = {}
        self._loading: dict[K, asyncio.Task[V]] = {}

    def peek(self, key: K) -> V | None:
        """Return an answer that is fresh enough, without waiting; None when there is none."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        age = self._monotonic() - kept[0]
        if age > self._seconds:
            return None
        if age > self._seconds / 2 and key not in self._loading:
            self._start(key)
        return kept[1]

    async def get(self, key: K) -> V:
        """Return a fresh answer. Raises what the query raises."""
        kept = self.peek(key)
        if kept is not None:
            return kept
        task = self._loading.get(key) or self._start(key)
        return await asyncio.shield(task)

    def _start(self, key: K) -> asyncio.Task[V]:
        task = asyncio.ensure_future(self._fetch(key))
        self._loading[key] = task
        task.add_done_callback(lambda done: self._finish(key, done))
        return task

    async def _fetch(self, key: K) -> V:
        asked_at = self._monotonic()
        value = await self._load(key)
        self._kept.pop(key, None)  # a renewed answer is the newest again
        if len(self._kept) >= self._capacity:
            self._kept.pop(next(iter(self._kept)))
        self._kept[key] = (asked_at, value)
        return value

    def _finish(self, key: K, done: asyncio.Task[V]) -> None:
        self._loading.pop(key, None)
        if not done.cancelled():
            done.exception()  # a refresh behind the caller's back may fail unheard; get() tells it
