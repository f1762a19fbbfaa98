"""A circuit breaker (M. Nygard, Release It!): one probe at a time while the other side is away."""

from collections.abc import Callable

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0


class Circuit:
    """Closed: everything goes. Open: nothing goes until the pause ends. Then one probe decides.

    Instants are seconds of a monotonic clock. Pauses double from one second to thirty, with
    jitter, so that many workers do not probe in step.
    """

    def __init__(self, monotonic: Callable[[], float], chance: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._chance = chance
        self._failures = 0
        self._open_until = 0.0

    @property
    def is_closed(self) -> bool:
        """Tell whether the last word from the other side was good."""
        return self._failures == 0

    def allowance(self, usual: int, under_way: int) -> int:
        """Return how many more may go: `usual`, or one probe after a pause, or none."""
        if self.is_closed:
            return usual
        return 0 if under_way or self.seconds_to_wait() else 1

    def seconds_to_wait(self) -> float:
        """Return how long the pause still lasts."""
        return max(self._open_until - self._monotonic(), 0.0)

    def fail(self) -> None:
        """Note that the other side could not be reached."""
        if self._monotonic() < self._open_until:
            return  # one of those that were under way when the first of them failed
        pause = min(FIRST_PAUSE * 2 ** min(self._failures, 10), LONGEST_PAUSE)
        self._failures += 1
        self._open_until = self._monotonic() + pause * (1 - self._chance() / 2)

    def succeed(self) -> bool:
        """Note that the other side answered; tell whether it had been away."""
        was_away = not self.is_closed
        self._failures, self._open_until = 0, 0.0
        return was_away
