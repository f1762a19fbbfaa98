"""The hashing pool: right answers, equal work, a bounded queue, and a loop that stays free."""

import asyncio
import os
import statistics
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

import argon2
import pytest

from authreset.hashing import HashingBusy, HashingCost, PasswordHasher
from authreset.scheduling import NICENESS

CHEAP = HashingCost(memory_kib=64, passes=1)
MIDDLING = HashingCost(memory_kib=4096, passes=2)
# Taken before any test, since a niceness once raised by mistake stays for all later ones.
NICENESS_AT_START = os.getpriority(os.PRIO_PROCESS, 0) if sys.platform == "linux" else 0
PASSWORD = "walnut tractor ribbon"
GARBAGE = [
    "",
    "$2b$12$abcdefghijklmnopqrstuv",
    "$argon2id$v=19$m=64,t=1,p=1$AA",
    "\u00e9",
    "x" * 999,
]


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    made = PasswordHasher(CHEAP, waiting=2)
    yield made
    made.close()


@pytest.fixture
def real() -> Iterator[PasswordHasher]:
    made = PasswordHasher()
    yield made
    made.close()


def test_the_default_is_argon2id_as_owasp_has_it(real: PasswordHasher) -> None:
    parameters = argon2.extract_parameters(asyncio.run(real.hash(PASSWORD)))
    assert parameters.type is argon2.Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19456, 2, 1)
    assert parameters.hash_len == 32
    assert parameters.salt_len == 16


def test_hash_and_verify(hasher: PasswordHasher) -> None:
    async def story() -> None:
        stored = await hasher.hash(PASSWORD)
        assert PASSWORD not in stored
        assert stored != await hasher.hash(PASSWORD)
        assert await hasher.verify(stored, PASSWORD) is True
        assert await hasher.verify(stored, PASSWORD + " ") is False
        assert await hasher.verify(None, PASSWORD) is False
        assert await hasher.verify(None, "") is False
        assert await hasher.verify(stored, "\ud800") is False

    asyncio.run(story())


@pytest.mark.parametrize("stored", GARBAGE)
def test_what_is_no_hash_matches_nothing(hasher: PasswordHasher, stored: str) -> None:
    assert asyncio.run(hasher.verify(stored, PASSWORD)) is False
    assert hasher.needs_rehash(stored)


def test_a_hash_of_another_cost_still_verifies_and_wants_a_new_one(hasher: PasswordHasher) -> None:
    async def story() -> None:
        for memory, passes in ((32, 1), (64, 2), (256, 3)):
            stored = argon2.PasswordHasher(passes, memory, 1).hash(PASSWORD)
            assert await hasher.verify(stored, PASSWORD)
            assert not await hasher.verify(stored, "other")
            assert hasher.needs_rehash(stored)
        assert not hasher.needs_rehash(await hasher.hash(PASSWORD))

    asyncio.run(story())


def test_matches_any(hasher: PasswordHasher) -> None:
    async def story() -> None:
        history = [await hasher.hash(old) for old in ("one", "two", "three")]
        for old in ("one", "two", "three"):
            assert await hasher.matches_any([*history, *GARBAGE], old) is True
        assert await hasher.matches_any(history, "four") is False
        assert await hasher.matches_any([], "one") is False

    asyncio.run(story())


@pytest.fixture
def middling() -> Iterator[PasswordHasher]:
    made = PasswordHasher(MIDDLING)
    yield made
    made.close()


async def cpu_seconds(work: Callable[..., Awaitable[bool]], *args: object) -> float:
    """Processor time rather than elapsed time, so that a busy machine changes little."""
    spent = []
    for _ in range(5):
        start = time.process_time()
        await work(*args)
        spent.append(time.process_time() - start)
    return statistics.median(spent)


def test_an_unknown_user_costs_as_much_work_as_a_known_one(middling: PasswordHasher) -> None:
    async def story() -> None:
        stored = await middling.hash(PASSWORD)
        legacy = argon2.PasswordHasher(1, 1024, 1, 32).hash(PASSWORD)
        usual = await cpu_seconds(middling.verify, stored, "wrong")
        for other in (None, legacy, *GARBAGE[:3]):
            spent = await cpu_seconds(middling.verify, other, PASSWORD)
            assert 0.5 < spent / usual < 2, other

    asyncio.run(story())


def test_the_history_costs_the_same_wherever_the_match_is(middling: PasswordHasher) -> None:
    async def story() -> None:
        history = [await middling.hash(old) for old in ("one", "two", "three")]
        usual = await cpu_seconds(middling.matches_any, history, "four")
        first = await cpu_seconds(middling.matches_any, history, "one")
        assert 0.6 < first / usual < 1.7

    asyncio.run(story())


def test_the_loop_runs_on_while_a_password_is_hashed(real: PasswordHasher) -> None:
    async def story() -> int:
        ticks = 0
        hashing = asyncio.create_task(real.hash(PASSWORD))
        while not hashing.done():
            ticks += 1
            await asyncio.sleep(0)
        return ticks

    assert asyncio.run(story()) > 50


def test_hashes_are_made_one_at_a_time_in_their_order(hasher: PasswordHasher) -> None:
    async def story() -> list[int]:
        finished: list[int] = []

        async def one(number: int) -> None:
            await hasher.hash(PASSWORD)
            finished.append(number)

        await asyncio.gather(*(one(number) for number in range(3)))
        return finished

    assert asyncio.run(story()) == [0, 1, 2]
    assert sum(t.name.startswith("authreset-hashing") for t in threading.enumerate()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")
def test_only_the_worker_is_nice(hasher: PasswordHasher) -> None:
    asyncio.run(hasher.hash(PASSWORD))
    (worker,) = [t for t in threading.enumerate() if t.name.startswith("authreset-hashing")]
    assert worker.native_id is not None
    assert os.getpriority(os.PRIO_PROCESS, worker.native_id) == max(NICENESS, NICENESS_AT_START)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == NICENESS_AT_START


@contextmanager
def closed_gate(hasher: PasswordHasher) -> Iterator[None]:
    """Keep the one thread of a hasher from starting anything until the block is left."""
    opened = threading.Event()
    hasher._thread.submit(opened.wait)
    try:
        yield
    finally:
        opened.set()


async def started(hasher: PasswordHasher, count: int) -> list[asyncio.Task[str]]:
    """Return that many hashes, all of them waiting for the thread by now."""
    tasks = [asyncio.create_task(hasher.hash(PASSWORD)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


def test_a_full_queue_refuses_at_once_and_serves_those_in_it(hasher: PasswordHasher) -> None:
    async def story() -> None:
        with closed_gate(hasher):
            tasks = await started(hasher, 3)
            for call in (
                hasher.hash,
                partial(hasher.verify, None),
                partial(hasher.matches_any, []),
            ):
                with pytest.raises(HashingBusy):
                    await asyncio.wait_for(call(PASSWORD), timeout=5)
        assert all(await asyncio.gather(*tasks))
        assert await hasher.verify(await tasks[0], PASSWORD)

    asyncio.run(story())


def test_a_cancelled_call_gives_its_place_back(hasher: PasswordHasher) -> None:
    async def story() -> None:
        with closed_gate(hasher):
            for _ in range(20):
                tasks = await started(hasher, 3)
                for task in tasks:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
                assert [type(result) for result in results] == [asyncio.CancelledError] * 3
            kept = await started(hasher, 3)
        assert len(await asyncio.gather(*kept)) == 3

    asyncio.run(story())


def test_cancelling_a_hash_under_way_harms_no_other(real: PasswordHasher) -> None:
    async def story() -> None:
        under_way, *waiting = await started(real, 3)
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await under_way
        for stored in await asyncio.gather(*waiting):
            assert stored.startswith("$argon2id$")

    asyncio.run(story())


def test_close_finishes_what_was_accepted_and_takes_no_more() -> None:
    async def story() -> None:
        hasher = PasswordHasher(CHEAP)
        tasks = await started(hasher, 5)
        hasher.close()
        assert len(await asyncio.gather(*tasks)) == 5
        for _ in range(100):
            with pytest.raises(RuntimeError):
                await hasher.hash(PASSWORD)

    asyncio.run(story())
