"""Limits that all processes share, kept in Valkey or Redis by the `limits` library."""

import time
from collections.abc import Mapping

import structlog
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from authreset.rules.limits import Rate

ANSWER_SECONDS = 0.25
LOG_SECONDS = 10.0


class SharedLimits:
    """Counts by kind ("address", "token") and key in a sliding window.

    When the store cannot be reached a call is let through: each process still holds its own
    limits, and recovery of accounts must not depend on one more server.
    """

    def __init__(self, url: str, rates: Mapping[str, Rate | None]) -> None:
        scheme, _, rest = url.partition("://")
        tls = "s" if scheme.endswith("s") and scheme not in ("redis", "valkey") else ""
        self._storage = RedisStorage(
            f"async+redis{tls}://{rest}",
            implementation="redispy",
            key_prefix="authreset",
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
        )
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._items: dict[str, RateLimitItem] = {
            kind: RateLimitItemPerSecond(rate.count, rate.period_seconds)
            for kind, rate in rates.items()
            if rate is not None
        }
        self._log = structlog.get_logger("authreset.limits")
        self._logged_at = float("-inf")

    async def take(self, kind: str, key: str) -> float:
        """Take one from an allowance: 0.0 when allowed, else the seconds to wait."""
        item = self._items.get(kind)
        if item is None:
            return 0.0
        try:
            if await self._limiter.hit(item, kind, key):
                return 0.0
            stats = await self._limiter.get_window_stats(item, kind, key)
        except Exception as error:
            self._tell(error)
            return 0.0
        return max(stats.reset_time - time.time(), 1.0)

    def _tell(self, error: Exception) -> None:
        if time.monotonic() - self._logged_at > LOG_SECONDS:
            self._logged_at = time.monotonic()
            self._log.warning("shared_limits_unavailable", error=type(error).__name__)

    async def close(self) -> None:
        """Let go of the connections."""
        bridge = getattr(self._storage, "bridge", None)
        if bridge is not None:
            await bridge.storage.aclose()
