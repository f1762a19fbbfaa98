"""When a letter that met a temporary fault is tried again, or that it is given up.

Only the decision lives here. What counts as a temporary fault, and the waiting itself, never will.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

# Enough doublings for any delay a person would configure; the exponent must not grow with attempts.
_MOST_DOUBLINGS = 32


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with jitter, up to a deadline counted from the first attempt.

    Attempt n is followed by a pause of `first_delay` doubled n-1 times, at most `longest_delay`,
    of which chance takes away up to the share `jitter` (0 none, 1 all of it).
    """

    first_delay: timedelta = timedelta(seconds=5)
    longest_delay: timedelta = timedelta(minutes=15)
    deadline: timedelta = timedelta(days=3)
    jitter: float = 0.5

    def __post_init__(self) -> None:
        if not timedelta(0) < self.first_delay <= self.longest_delay:
            raise ValueError("first_delay must be positive and no longer than longest_delay")
        if not 0 <= self.jitter <= 1:
            raise ValueError("jitter must be between 0 and 1")


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again at this instant, not before."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The fault has lasted too long; `reason` is a sentence for operators."""

    reason: str


DEFAULT_POLICY = RetryPolicy()


def decide_retry(
    *,
    attempts: int,
    first_attempt_at: datetime,
    now: datetime,
    chance: Callable[[], float],
    policy: RetryPolicy = DEFAULT_POLICY,
) -> RetryAt | GiveUp:
    """Say what follows the `attempts`-th attempt, which has just met a temporary fault at `now`.

    `chance` yields a number from 0 (inclusive) to 1 (exclusive), as `random.random` does.
    A retry never lies beyond the deadline: the last one happens at the deadline itself.
    Raises ValueError if there has been no attempt.
    """
    if attempts < 1:
        raise ValueError("attempts must be at least 1")
    last_at = first_attempt_at + policy.deadline
    if now >= last_at:
        hours = policy.deadline / timedelta(hours=1)
        return GiveUp(f"not accepted within {hours:g} hours of the first attempt")
    return RetryAt(min(now + _pause(attempts, chance(), policy), last_at))


def _pause(attempts: int, chance: float, policy: RetryPolicy) -> timedelta:
    doublings = min(attempts - 1, _MOST_DOUBLINGS)
    longest = min(policy.first_delay * (1 << doublings), policy.longest_delay)
    return longest * (1 - policy.jitter * chance)
