"""Rates and buckets, on clocks that the tests move by hand."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authreset.rules.limits import (
    Allowed,
    KeyedBuckets,
    Rate,
    Wait,
    parse_rate,
    take,
)


@dataclass
class HandClock:
    """A clock that stands until it is moved."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("600/minute", Rate(600, 60)),
        ("600/min", Rate(600, 60)),
        ("600/m", Rate(600, 60)),
        ("5/second", Rate(5, 1)),
        ("5/sec", Rate(5, 1)),
        ("5/s", Rate(5, 1)),
        ("20/hour", Rate(20, 3600)),
        ("20/h", Rate(20, 3600)),
        ("7/day", Rate(7, 86400)),
        (" 10 / Minute ", Rate(10, 60)),
    ],
)
def test_parse_rate(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text",
    ["", "600", "600/", "/minute", "600/week", "600/minutes", "0/s", "-5/s", "1.5/s", "600 minute",
     "6e2/s", "\u0663/s", "9999999999/s", "600/minute/day"],
)  # fmt: skip
def test_parse_rate_says_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="write COUNT/PERIOD such as 600/minute"):
        parse_rate(text)


def test_a_rate_per_second() -> None:
    assert Rate(600, 60).per_second == 10
    with pytest.raises(ValueError, match="above zero"):
        Rate(0, 60)


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    state: float | None = None
    for _ in range(5):
        decision = take(state, 100.0, rate_per_second=2, burst=5)
        assert isinstance(decision, Allowed)
        state = decision.state
    assert take(state, 100.0, rate_per_second=2, burst=5) == Wait(0.5, 102.5)
    assert take(state, 100.25, rate_per_second=2, burst=5) == Wait(0.25, 102.5)
    assert isinstance(take(state, 100.5, rate_per_second=2, burst=5), Allowed)


def test_a_clock_that_steps_back_makes_nobody_wait_for_it() -> None:
    decision = take(1e6, 100.0, rate_per_second=2, burst=5)
    assert decision == Wait(0.5, 102.5)
    assert take(decision.state, 100.5, rate_per_second=2, burst=5) == Allowed(103.0)


RATES = st.floats(0.001, 1000)
BURSTS = st.integers(1, 200)


@given(RATES, BURSTS, st.lists(st.floats(0, 20), min_size=1, max_size=60))
def test_no_window_lets_more_through_than_burst_and_rate(
    rate: float, burst: int, gaps: list[float]
) -> None:
    now, state, passed = 0.0, None, []
    for gap in gaps:
        now += gap
        for _ in range(3):
            if isinstance(decision := take(state, now, rate_per_second=rate, burst=burst), Allowed):
                state = decision.state
                passed.append(now)
    for first, start in enumerate(passed):
        for count, end in enumerate(passed[first:], 1):
            assert count <= burst + (end - start) * rate + 1e-3


@given(RATES, st.integers(1, 5), st.floats(0, 1e7), st.integers(6, 60))
def test_whoever_waits_as_told_may_go_on(rate: float, burst: int, now: float, calls: int) -> None:
    state = None
    for _ in range(calls):
        if isinstance(decision := take(state, now, rate_per_second=rate, burst=burst), Wait):
            assert 0 < decision.seconds <= 1 / rate + 1e-3
            now += decision.seconds
            decision = take(state, now, rate_per_second=rate, burst=burst)
        assert isinstance(decision, Allowed)
        state = decision.state


@given(
    st.integers(1, 100),
    st.integers(1, 10),
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(-5, 30)), max_size=60),
)
def test_keyed_buckets_decide_as_take_does(
    count: int, burst: int, calls: list[tuple[str, float]]
) -> None:
    clock, rate, states = HandClock(), Rate(count, 60), dict[str, float]()
    buckets = KeyedBuckets(rate, burst, clock)
    for key, step in calls:
        clock.now += step
        expected = take(states.get(key), clock.now, rate_per_second=rate.per_second, burst=burst)
        waited = buckets.take(key)
        states[key] = expected.state
        match expected:
            case Allowed():
                assert waited == 0.0
            case Wait(seconds):
                assert waited == pytest.approx(seconds)
                assert waited > 0


def test_keyed_buckets_outlive_a_clock_that_steps_back() -> None:
    clock = HandClock()
    buckets = KeyedBuckets(Rate(1, 1), 3, clock)
    assert buckets.take("a") == 0.0
    clock.now -= 500
    assert buckets.take("a") == pytest.approx(1.0)
    clock.now += 1
    assert buckets.take("a") == 0.0


def throttled(clock: HandClock, capacity: int, key: str = "victim") -> KeyedBuckets:
    """Buckets of one call a second, three at once, in which `key` has none left."""
    buckets = KeyedBuckets(Rate(1, 1), 3, clock, capacity)
    assert [buckets.take(key) for _ in range(4)] == [0.0, 0.0, 0.0, pytest.approx(1.0)]
    return buckets


@pytest.mark.parametrize("capacity", range(90, 106))
def test_fresh_keys_neither_fill_the_memory_nor_free_a_throttled_key(capacity: int) -> None:
    buckets = throttled(HandClock(), capacity)
    assert all(buckets.take(f"fresh-{i}") == 0.0 for i in range(2000))
    assert len(buckets) == capacity
    assert buckets.take("victim") > 0


def test_keys_that_are_full_again_make_room_first() -> None:
    clock = HandClock()
    buckets = throttled(clock, capacity=100, key="old")
    clock.now += 10
    for i in range(99):
        assert [buckets.take(f"recent-{i}") for _ in range(3)] == [0.0] * 3
    assert buckets.take("newcomer") == 0.0
    assert all(buckets.take(f"recent-{i}") > 0 for i in range(99))


@pytest.mark.parametrize("capacity", [1, 2, 7, 8, 9])
def test_a_small_capacity_holds(capacity: int) -> None:
    buckets = KeyedBuckets(Rate(1, 1), 1, HandClock(), capacity)
    for i in range(50):
        assert buckets.take(str(i)) == 0.0
        assert buckets.take(str(i)) > 0
        assert len(buckets) <= capacity


@pytest.mark.parametrize(("burst", "capacity"), [(0, 1), (1, 0)])
def test_buckets_without_room_are_refused(burst: int, capacity: int) -> None:
    with pytest.raises(ValueError, match="above zero"):
        KeyedBuckets(Rate(1, 1), burst, HandClock(), capacity)
