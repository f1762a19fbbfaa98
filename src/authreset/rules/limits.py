"""How often: rates for floods of requests, windows for mails to one mailbox.

Only decisions over a state that the caller keeps, and one in-memory store of such states. Nothing
here knows accounts, digests or a database.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

HOUR = 3600.0
DAY = 86400.0

_PERIODS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_PERIODS |= {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_RATE = re.compile(rf"([0-9]{{1,9}})\s*/\s*({'|'.join(_PERIODS)})", re.ASCII)

# A caller a microsecond early is on time: it absorbs the rounding of sums of floats.
_SLACK = 1e-6
_LOOKED_AT = 8


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls in so many seconds. Raises ValueError unless both are above zero."""

    count: int
    period_seconds: int

    def __post_init__(self) -> None:
        if self.count < 1 or self.period_seconds < 1:
            raise ValueError("expected a count and a period above zero")

    @property
    def per_second(self) -> float:
        """The steady rate."""
        return self.count / self.period_seconds


def parse_rate(text: str) -> Rate:
    """Parse a rate such as `600/minute` or `5/s`. Raises ValueError that says what to write."""
    match = _RATE.fullmatch(text.strip().lower())
    if match is None or int(match[1]) == 0:
        raise ValueError(
            f"{text!r} is no rate: write COUNT/PERIOD such as 600/minute, with a count above zero "
            "and second, minute, hour or day"
        )
    return Rate(int(match[1]), _PERIODS[match[2]])


@dataclass(frozen=True, slots=True)
class Allowed:
    """The call may go on; keep this state for the next one."""

    state: float


@dataclass(frozen=True, slots=True)
class Wait:
    """The call comes too early by so many seconds (above zero); keep this state."""

    seconds: float
    state: float


def take(state: float | None, now: float, *, rate_per_second: float, burst: int) -> Allowed | Wait:
    """Decide on one call: `burst` at once, `rate_per_second` in the long run.

    The generic cell rate algorithm (ITU-T I.371): the state is the instant at which the bucket is
    full again, on the clock of `now` in seconds, and None for a new key. After a clock stepped back
    the bucket counts as just emptied, so nobody waits until the clock has caught up.
    """
    interval = 1 / rate_per_second
    span = burst * interval
    full_at = now if state is None else min(max(state, now), now + span)
    early = full_at + interval - span - now
    return Wait(early, full_at) if early > _SLACK else Allowed(full_at + interval)


class KeyedBuckets:
    """One bucket a key, in memory, for one event loop: `take` as above, a microsecond a call.

    At most `capacity` keys are kept. A newcomer beyond that displaces, out of the eight keys that
    were longest unexamined, one that is full again (which loses nothing), or else the one nearest
    to full. So a key that is throttled goes only when all eight are in as deep: to be forgotten
    early, an attacker must first spend about a whole burst on most of `capacity` keys. The trade:
    memory and time stay bounded, and newcomers are never refused for want of room.
    """

    def __init__(
        self, rate: Rate, burst: int, clock: Callable[[], float], capacity: int = 100_000
    ) -> None:
        if burst < 1 or capacity < 1:
            raise ValueError("expected a burst and a capacity above zero")
        self._interval = 1 / rate.per_second
        self._span = burst * self._interval
        self._clock = clock
        self._capacity = capacity
        # Ordered, because finding the first key of a plain dict slows down as keys are deleted.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str) -> float:
        """Return 0.0 when the call may go on, else the seconds to wait, above zero."""
        # Written out rather than calling the function above: on the hot path each call counts.
        now = self._clock()
        full_at = self._full_at.get(key)
        if full_at is None:
            if len(self._full_at) >= self._capacity:
                self._make_room(now)
            full_at = now
        elif full_at < now:
            full_at = now
        elif full_at > now + self._span:
            full_at = self._full_at[key] = now + self._span
        early = full_at + self._interval - self._span - now
        if early > _SLACK:
            return early
        self._full_at[key] = full_at + self._interval
        return 0.0

    def _make_room(self, now: float) -> None:
        nearest, nearest_at = "", float("inf")
        for _ in range(min(_LOOKED_AT, len(self._full_at))):
            key, full_at = next(iter(self._full_at.items()))
            if full_at < nearest_at:
                nearest, nearest_at = key, full_at
            if full_at <= now:
                break
            self._full_at.move_to_end(key)
        del self._full_at[nearest]


@dataclass(frozen=True, slots=True)
class MailboxPolicy:
    """How many mails one mailbox gets. Raises ValueError for counts below one or an odd spacing."""

    per_hour: int = 5
    per_day: int = 20
    spacing: timedelta = timedelta(seconds=60)

    def __post_init__(self) -> None:
        if self.per_hour < 1 or self.per_day < 1:
            raise ValueError("expected at least one mail an hour and a day")
        if not timedelta(0) <= self.spacing <= timedelta(days=1):
            raise ValueError("expected a spacing from zero to a day")


class MailLimit(StrEnum):
    """Which limit of a mailbox was met."""

    SPACING = "spacing"
    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class MayMail:
    """A mail may go out; keep these hits, this one among them."""

    hits: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Limited:
    """No mail now, silently. Keep these hits: a clock that stepped back is put right in them."""

    reason: MailLimit
    hits: tuple[float, ...]


def decide_mailing(hits: Sequence[float], now: float, policy: MailboxPolicy) -> MayMail | Limited:
    """Decide whether a mailbox gets another mail, from the instants (epoch seconds) of the last.

    Windows slide: a mail stops counting exactly an hour, or a day, after it. A hit in the future
    counts as now. At most `per_day` hits are kept, ascending.
    """
    recent = tuple(sorted(min(hit, now) for hit in hits if now - hit < DAY))[-policy.per_day :]
    reason = _met_limit(recent, now, policy)
    return MayMail((*recent, now)) if reason is None else Limited(reason, recent)


def _met_limit(recent: tuple[float, ...], now: float, policy: MailboxPolicy) -> MailLimit | None:
    if len(recent) >= policy.per_day:
        return MailLimit.DAY
    if sum(now - hit < HOUR for hit in recent) >= policy.per_hour:
        return MailLimit.HOUR
    if recent and now - recent[-1] < policy.spacing.total_seconds():
        return MailLimit.SPACING
    return None
