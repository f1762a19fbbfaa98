"""Limits that all processes share, kept in Valkey or Redis by the `limits` library."""

import time
from collections.abc import Callable, Mapping

import structlog
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from prometheus_client import Counter

from authreset.rules.limits import Rate

ANSWER_SECONDS = 0.25
PAUSE_SECONDS = 2.0
LOG_SECONDS = 10.0

UNASKED = Counter(
    "authreset_shared_limits_unasked", "Limits that let a call go on since the store was away."
)


class SharedLimits:
    """Counts by kind ("address", "token") and key in a sliding window.

    When the store cannot be reached a call is let through: each process still holds its own
    limits, and recovery of accounts must not depend on one more server. Nor may it wait for one
    that hangs: after a failure nobody asks for a pause, then one call does, and the others go on.
    """

    def __init__(
        self,
        url: str,
        rates: Mapping[str, Rate | None],
        monotonic: Callable[[], float],
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        scheme, _, rest = url.partition("://")
        tls = "s" if scheme.endswith("s") and scheme not in ("redis", "valkey") else ""
        self._storage = RedisStorage(
            f"async+redis{tls}://{rest}",
            implementation="redispy",
            key_prefix="authreset",
            socket_timeout=answer_seconds,
            socket_connect_timeout=answer_seconds,
        )
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._items: dict[str, RateLimitItem] = {
            kind: RateLimitItemPerSecond(rate.count, rate.period_seconds)
            for kind, rate in rates.items()
            if rate is not None
        }
        self._monotonic = monotonic
        self._paused_until: float | None = None
        self._log = structlog.get_logger("authreset.limits")
        self._logged_at = float("-inf")

    async def take(self, kind: str, key: str) -> float:
        """Take one from an allowance: 0.0 when allowed, else the seconds to wait."""
        item = self._items.get(kind)
        if item is None:
            return 0.0
        try:
            wait = await self._ask(item, kind, key) if self._may_ask() else None
        except Exception as error:
            wait = None
            self._pause(error)
        if wait is None:
            UNASKED.inc()
        return wait or 0.0

    def _may_ask(self) -> bool:
        if self._paused_until is None:
            return True
        now = self._monotonic()
        if now < self._paused_until:
            return False
        # Whoever comes first after a pause asks, and begins the next one for all others meanwhile.
        self._paused_until = now + PAUSE_SECONDS
        return True

    async def _ask(self, item: RateLimitItem, kind: str, key: str) -> float:
        is_allowed = await self._limiter.hit(item, kind, key)
        stats = None if is_allowed else await self._limiter.get_window_stats(item, kind, key)
        self._paused_until = None
        return 0.0 if stats is None else max(stats.reset_time - time.time(), 1.0)

    def _pause(self, error: Exception) -> None:
        now = self._monotonic()
        self._paused_until = now + PAUSE_SECONDS
        if now - self._logged_at > LOG_SECONDS:
            self._logged_at = now
            self._log.warning("shared_limits_unavailable", error=type(error).__name__)

    async def close(self) -> None:
        """Let go of the connections."""
        bridge = getattr(self._storage, "bridge", None)
        if bridge is not None:
            await bridge.storage.aclose()
