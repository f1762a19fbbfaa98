"""Rates and mailbox windows, on clocks that the tests move by hand."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authreset.rules.limits import (
    DAY,
    HOUR,
    Allowed,
    KeyedBuckets,
    Limited,
    MailboxPolicy,
    MailLimit,
    MayMail,
    Rate,
    Wait,
    decide_mailing,
    parse_rate,
    take,
)

NOW = 1_790_000_000.0
POLICY = MailboxPolicy()


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


def ago(*seconds: float) -> tuple[float, ...]:
    return tuple(NOW - each for each in seconds)


@pytest.mark.parametrize(
    ("hits", "decision"),
    [
        ((), MayMail((NOW,))),
        (ago(60), MayMail((*ago(60), NOW))),
        (ago(59.999), Limited(MailLimit.SPACING, ago(59.999))),
        (ago(0), Limited(MailLimit.SPACING, ago(0))),
        (ago(400, 300, 200, 100), MayMail((*ago(400, 300, 200, 100), NOW))),
        (ago(500, 400, 300, 200, 100), Limited(MailLimit.HOUR, ago(500, 400, 300, 200, 100))),
        (ago(HOUR, 400, 300, 200, 100), MayMail((*ago(HOUR, 400, 300, 200, 100), NOW))),
        (
            ago(HOUR - 0.001, 400, 300, 200, 100),
            Limited(MailLimit.HOUR, ago(HOUR - 0.001, 400, 300, 200, 100)),
        ),
        (ago(DAY), MayMail((NOW,))),
        (ago(DAY - 1), MayMail((*ago(DAY - 1), NOW))),
        (
            ago(*range(24_000, 4_000, -1000)),
            Limited(MailLimit.DAY, ago(*range(24_000, 4_000, -1000))),
        ),
        (ago(*range(23_000, 4_000, -1000)), MayMail((*ago(*range(23_000, 4_000, -1000)), NOW))),
        # More than the policy keeps, as after a change of settings.
        (
            ago(*range(32_000, 4_000, -1000)),
            Limited(MailLimit.DAY, ago(*range(24_000, 4_000, -1000))),
        ),
        # The clock stepped back: what lies ahead counts as now, and is stored as such.
        (ago(-5000), Limited(MailLimit.SPACING, ago(0))),
        (ago(100, -5000, -6000), Limited(MailLimit.SPACING, ago(100, 0, 0))),
    ],
)
def test_decide_mailing(hits: tuple[float, ...], decision: MayMail | Limited) -> None:
    assert decide_mailing(hits, NOW, POLICY) == decision


def test_a_mailbox_is_free_again_after_the_clock_stepped_back_a_year() -> None:
    limited = decide_mailing(ago(-365 * DAY), NOW, POLICY)
    assert isinstance(limited, Limited)
    assert isinstance(decide_mailing(limited.hits, NOW + 60, POLICY), MayMail)


@given(
    st.integers(1, 6),
    st.integers(1, 12),
    st.integers(0, 300),
    st.lists(st.floats(0, 4000), max_size=120),
)
def test_no_window_holds_more_mails_than_allowed(
    per_hour: int, per_day: int, spacing: int, gaps: list[float]
) -> None:
    policy = MailboxPolicy(per_hour, per_day, timedelta(seconds=spacing))
    now, hits, mailed = NOW, tuple[float, ...](), []
    for gap in gaps:
        now += gap
        decision = decide_mailing(hits, now, policy)
        hits = decision.hits
        assert len(hits) <= per_day
        assert list(hits) == sorted(hits)
        if isinstance(decision, MayMail):
            mailed.append(now)
    for index, at in enumerate(mailed):
        window = mailed[: index + 1]
        assert sum(at - each < HOUR for each in window) <= per_hour
        assert sum(at - each < DAY for each in window) <= per_day
        assert all(at - each >= spacing for each in mailed[max(index - 1, 0) : index])


@pytest.mark.parametrize(
    ("per_hour", "per_day", "spacing"),
    [(0, 1, timedelta(0)), (1, 0, timedelta(0)), (1, 1, -timedelta(1)), (1, 1, timedelta(2))],
)
def test_a_mailbox_policy_that_makes_no_sense_is_refused(
    per_hour: int, per_day: int, spacing: timedelta
) -> None:
    with pytest.raises(ValueError, match="expected"):
        MailboxPolicy(per_hour, per_day, spacing)
