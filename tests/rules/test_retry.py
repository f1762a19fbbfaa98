"""The pause after each attempt, the deadline, and what holds for any policy."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authreset.rules.retry import DEFAULT_POLICY, GiveUp, RetryAt, RetryPolicy, decide_retry

START = datetime(2026, 11, 17, 12, 0, tzinfo=UTC)


def decide(attempts, elapsed=timedelta(0), chance=0.0, policy=DEFAULT_POLICY):
    return decide_retry(
        attempts=attempts,
        first_attempt_at=START,
        now=START + elapsed,
        chance=lambda: chance,
        policy=policy,
    )


@pytest.mark.parametrize(
    ("attempts", "chance", "seconds"),
    [
        (1, 0.0, 5),
        (1, 0.5, 3.75),
        (1, 0.999999, 2.5),
        (2, 0.0, 10),
        (3, 0.0, 20),
        (7, 0.0, 320),
        (8, 0.0, 640),
        (9, 0.0, 900),
        (9, 0.5, 675),
        (10, 0.0, 900),
        (10_000_000, 0.0, 900),
    ],
)
def test_pause_doubles_to_a_quarter_of_an_hour(attempts, chance, seconds):
    decision = decide(attempts, chance=chance)
    assert isinstance(decision, RetryAt)
    assert (decision.at - START).total_seconds() == pytest.approx(seconds, abs=1e-4)


@pytest.mark.parametrize(
    ("elapsed", "expected"),
    [
        (timedelta(days=2, hours=23), RetryAt(START + timedelta(days=2, hours=23, minutes=15))),
        (timedelta(days=2, hours=23, minutes=50), RetryAt(START + timedelta(days=3))),
        (timedelta(days=3), GiveUp("not accepted within 72 hours of the first attempt")),
        (timedelta(days=30), GiveUp("not accepted within 72 hours of the first attempt")),
    ],
)
def test_deadline_ends_the_retries_after_one_last_attempt_at_it(elapsed, expected):
    assert decide(300, elapsed) == expected


def test_a_letter_never_attempted_has_no_retry():
    with pytest.raises(ValueError, match="attempts"):
        decide(0)


@pytest.mark.parametrize(
    "settings",
    [
        {"first_delay": timedelta(0)},
        {"first_delay": timedelta(hours=1), "longest_delay": timedelta(minutes=1)},
        {"jitter": -0.1},
        {"jitter": 1.1},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(settings):
    with pytest.raises(ValueError, match=r"delay|jitter"):
        RetryPolicy(**settings)


policies = st.builds(
    RetryPolicy,
    first_delay=st.timedeltas(timedelta(milliseconds=1), timedelta(minutes=1)),
    longest_delay=st.timedeltas(timedelta(minutes=1), timedelta(days=1)),
    deadline=st.timedeltas(timedelta(0), timedelta(days=30)),
    jitter=st.floats(0, 1),
)
chances = st.floats(0, 1, exclude_max=True)
elapses = st.timedeltas(timedelta(days=-1), timedelta(days=60))


@given(st.integers(1, 10**12), elapses, chances, policies)
def test_retry_lies_in_the_window_or_the_deadline_is_over(attempts, elapsed, chance, policy):
    now, last_at = START + elapsed, START + policy.deadline
    match decide(attempts, elapsed, chance, policy):
        case RetryAt(at):
            assert now < last_at
            assert now <= at <= min(now + policy.longest_delay, last_at)
            share = 1 - policy.jitter
            least = min(now + policy.first_delay * share, last_at)
            assert at >= least - timedelta(microseconds=1)
        case GiveUp():
            assert now >= last_at


@given(st.integers(1, 60), chances, policies)
def test_longest_pause_never_shrinks_from_attempt_to_attempt(attempts, chance, policy):
    earlier, later = decide(attempts, policy=policy), decide(attempts + 1, policy=policy)
    assert type(earlier) is type(later)
    if isinstance(earlier, RetryAt) and isinstance(later, RetryAt):
        assert earlier.at <= later.at
        jittered = decide(attempts, chance=chance, policy=policy)
        assert isinstance(jittered, RetryAt)
        assert jittered.at <= earlier.at
