"""When failed log-ins lock an account, and when the lock is over."""

from datetime import UTC, datetime, timedelta

import pytest

from authreset.rules.lockout import (
    CountFailure,
    Lock,
    LockoutPolicy,
    UserStatus,
    after_failure,
    is_locked,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)
TICK = timedelta(microseconds=1)


def test_the_contract_numbers_the_statuses() -> None:
    assert {status.name: status.value for status in UserStatus} == {
        "ACTIVE": 1,
        "INACTIVE": 0,
        "LOCKED": 85,
        "DELETED": -99,
    }


@pytest.mark.parametrize(
    ("failures", "locked_until", "decision"),
    [
        (0, None, CountFailure(1)),
        (8, None, CountFailure(9)),
        (9, None, Lock(NOW + HALF_HOUR)),
        (10, None, Lock(NOW + HALF_HOUR)),
        (50, None, Lock(NOW + HALF_HOUR)),
        (-1, None, CountFailure(1)),
        (10, NOW - TICK, CountFailure(1)),
        (10, NOW, CountFailure(1)),
        (10, NOW + TICK, Lock(NOW + HALF_HOUR)),
    ],
)
def test_after_failure(
    failures: int, locked_until: datetime | None, decision: CountFailure | Lock
) -> None:
    assert after_failure(failures, NOW, LockoutPolicy(), locked_until=locked_until) == decision


def test_ten_failures_lock_and_ten_more_after_the_lock_do_it_again() -> None:
    failures, locked_until, now, locks = 0, None, NOW, []
    for attempt in range(1, 21):
        match after_failure(failures, now, LockoutPolicy(), locked_until=locked_until):
            case CountFailure(counted):
                failures, locked_until = counted, None
            case Lock(until):
                failures, locked_until, now = 10, until, until
                locks.append(attempt)
    assert locks == [10, 20]


@pytest.mark.parametrize(
    ("status", "locked_until", "locked"),
    [
        (UserStatus.ACTIVE, None, False),
        (UserStatus.ACTIVE, NOW + HALF_HOUR, False),
        (UserStatus.INACTIVE, NOW + HALF_HOUR, False),
        (UserStatus.LOCKED, NOW + TICK, True),
        (UserStatus.LOCKED, NOW, False),
        (UserStatus.LOCKED, NOW - HALF_HOUR, False),
        (UserStatus.LOCKED, None, True),
        (85, NOW + TICK, True),
    ],
)
def test_is_locked(status: int, locked_until: datetime | None, locked: bool) -> None:
    assert is_locked(status, locked_until, NOW) is locked


@pytest.mark.parametrize(
    ("failures", "duration"), [(0, HALF_HOUR), (101, HALF_HOUR), (10, timedelta(0)), (10, -TICK)]
)
def test_a_policy_that_makes_no_sense_is_refused(failures: int, duration: timedelta) -> None:
    with pytest.raises(ValueError, match="expected"):
        LockoutPolicy(failures, duration)
