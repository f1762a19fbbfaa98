"""FreshCache: one query however many ask at once, and no answer older than its time."""

import asyncio

import pytest

from authreset.store.caches import FreshCache

SECONDS = 4.0


class Source:
    """Answers when it is let, counts how often it was asked, and fails when told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: asyncio.Queue[int | Exception] = asyncio.Queue()

    async def __call__(self, key: str) -> int:
        self.asked.append(key)
        answer = await self.answers.get()
        if isinstance(answer, Exception):
            raise answer
        return answer


class Stopwatch:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Rig:
    """A cache with its source and its stopwatch."""

    def __init__(self, capacity: int = 100) -> None:
        self.source = Source()
        self.watch = Stopwatch()
        self.cache: FreshCache[str, int] = FreshCache(
            self.source, seconds=SECONDS, monotonic=self.watch, capacity=capacity
        )

    async def fill(self, key: str, answer: int) -> None:
        self.source.answers.put_nowait(answer)
        assert await self.cache.get(key) == answer

    async def settle(self) -> None:
        """Let tasks that can go on do so."""
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_many_who_ask_at_once_cause_one_query(rig: Rig) -> None:
    waiting = [asyncio.create_task(rig.cache.get("k")) for _ in range(50)]
    await rig.settle()
    rig.source.answers.put_nowait(7)
    assert await asyncio.gather(*waiting) == [7] * 50
    assert rig.source.asked == ["k"]
    assert rig.cache.peek("k") == 7
    assert rig.cache.peek("other") is None


async def test_an_answer_is_as_old_as_its_question(rig: Rig) -> None:
    asking = asyncio.create_task(rig.cache.get("k"))
    await rig.settle()
    rig.watch.now += SECONDS - 1  # the query was slow
    rig.source.answers.put_nowait(1)
    assert await asking == 1
    rig.watch.now += 1.01
    assert rig.cache.peek("k") is None
    await rig.fill("k", 2)


async def test_a_query_slower_than_its_answer_may_live_is_believed_once(rig: Rig) -> None:
    asking = asyncio.create_task(rig.cache.get("k"))
    await rig.settle()
    rig.watch.now += SECONDS + 1
    rig.source.answers.put_nowait(1)
    assert await asking == 1
    assert rig.cache.peek("k") is None


async def test_an_answer_is_renewed_ahead_and_nobody_waits(rig: Rig) -> None:
    await rig.fill("k", 1)
    rig.watch.now += SECONDS / 2 + 0.01
    assert [await rig.cache.get("k") for _ in range(3)] == [1, 1, 1]
    await rig.settle()
    assert rig.source.asked == ["k", "k"]
    rig.source.answers.put_nowait(2)
    await rig.settle()
    assert rig.cache.peek("k") == 2


async def test_a_young_answer_is_not_renewed(rig: Rig) -> None:
    await rig.fill("k", 1)
    rig.watch.now += SECONDS / 2
    assert await rig.cache.get("k") == 1
    await rig.settle()
    assert rig.source.asked == ["k"]


async def test_a_failure_is_told_to_all_who_wait_and_then_forgotten(rig: Rig) -> None:
    waiting = [asyncio.create_task(rig.cache.get("k")) for _ in range(5)]
    await rig.settle()
    rig.source.answers.put_nowait(OSError("away"))
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in told] == [OSError] * 5
    assert rig.source.asked == ["k"]
    await rig.fill("k", 3)


async def test_a_failed_renewal_is_heard_only_when_the_answer_is_too_old(rig: Rig) -> None:
    await rig.fill("k", 1)
    rig.watch.now += SECONDS - 0.5
    assert await rig.cache.get("k") == 1
    rig.source.answers.put_nowait(OSError("away"))
    await rig.settle()
    rig.watch.now += 0.5
    rig.source.answers.put_nowait(OSError("still away"))
    assert rig.cache.peek("k") == 1
    await rig.settle()
    rig.watch.now += 0.01
    rig.source.answers.put_nowait(OSError("away for good"))
    with pytest.raises(OSError, match="away for good"):
        await rig.cache.get("k")


async def test_one_who_stops_waiting_does_not_stop_the_others(rig: Rig) -> None:
    impatient = asyncio.create_task(rig.cache.get("k"))
    patient = asyncio.create_task(rig.cache.get("k"))
    await rig.settle()
    impatient.cancel()
    await rig.settle()
    rig.source.answers.put_nowait(9)
    assert await patient == 9
    assert impatient.cancelled()


async def test_the_longest_unrenewed_leaves_when_it_is_full() -> None:
    rig = Rig(capacity=2)
    await rig.fill("a", 1)
    await rig.fill("b", 2)
    rig.watch.now += SECONDS - 1
    assert rig.cache.peek("a") == 1  # is renewed behind our back, so that b is the oldest
    rig.source.answers.put_nowait(3)
    await rig.settle()
    await rig.fill("c", 4)
    assert [rig.cache.peek(key) for key in "abc"] == [3, None, 4]


async def test_a_renewed_answer_displaces_nobody() -> None:
    rig = Rig(capacity=2)
    await rig.fill("a", 1)
    await rig.fill("b", 2)
    rig.watch.now += SECONDS - 1
    assert rig.cache.peek("b") == 2
    rig.source.answers.put_nowait(3)
    await rig.settle()
    assert (rig.cache.peek("a"), rig.cache.peek("b")) == (1, 3)
    rig.source.answers.put_nowait(4)
    await rig.settle()
