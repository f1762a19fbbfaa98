"""A user's status, and when failed log-ins lock an account. Sessions and storage live elsewhere."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum


class UserStatus(IntEnum):
    """The states of a user, as the contract numbers them."""

    ACTIVE = 1
    INACTIVE = 0
    LOCKED = 85
    DELETED = -99


@dataclass(frozen=True, slots=True)
class LockoutPolicy:
    """So many failures in a row lock the account for `duration`.

    Far below the 100 that NIST SP 800-63B-4, section 3.2.2, allows. Raises ValueError outside 1 to
    100 failures, or for a duration that is not positive.
    """

    failures: int = 10
    duration: timedelta = timedelta(minutes=30)

    def __post_init__(self) -> None:
        if not 1 <= self.failures <= 100:
            raise ValueError("expected from 1 to 100 failures")
        if self.duration <= timedelta(0):
            raise ValueError("expected a duration above zero")


@dataclass(frozen=True, slots=True)
class CountFailure:
    """The account stays open; store this count of failures in a row."""

    failures: int


@dataclass(frozen=True, slots=True)
class Lock:
    """The account gets `UserStatus.LOCKED` until this instant."""

    until: datetime


def after_failure(
    failures: int, now: datetime, policy: LockoutPolicy, *, locked_until: datetime | None = None
) -> CountFailure | Lock:
    """Decide what one more failed log-in does, given the stored count before it.

    `locked_until` is the end of the last lock, if any is stored: once it has passed, the failures
    that led to it no longer count and this one is the first.
    """
    standing = 0 if locked_until is not None and now >= locked_until else max(failures, 0)
    counted = standing + 1
    if counted >= policy.failures:
        return Lock(now + policy.duration)
    return CountFailure(counted)


def is_locked(status: int, locked_until: datetime | None, now: datetime) -> bool:
    """Tell whether the account is locked at `now`. A lock without an end stays until lifted."""
    return status == UserStatus.LOCKED and (locked_until is None or now < locked_until)
