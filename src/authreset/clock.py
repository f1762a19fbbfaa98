"""The real sources of time and chance. Everything else receives them through its constructor."""

import os
import time
from datetime import UTC, datetime

from asyncpg.pgproto.pgproto import UUID  # a uuid.UUID that is made and written in C

from authreset.rules.clocks import RandomBytes


def utc_now() -> datetime:
    """Return the present instant in UTC."""
    return datetime.now(UTC)


random_bytes: RandomBytes = os.urandom


class RequestIds:
    """Makes UUIDv7 (RFC 9562, section 5.7): unique, unguessable enough for a log, ordered by time.

    Random bits are drawn for many ids at once, since a system call for each would cost more than
    everything else about it.
    """

    def __init__(self, random_bytes: RandomBytes = os.urandom) -> None:
        self._random_bytes = random_bytes
        self._pool = b""
        self._offset = 0

    def __call__(self) -> UUID:
        """Return the next id."""
        if self._offset + 10 > len(self._pool):
            self._pool, self._offset = self._random_bytes(2560), 0
        drawn = int.from_bytes(self._pool[self._offset : self._offset + 10])
        self._offset += 10
        millis = time.time_ns() // 1_000_000
        value = (millis & 0xFFFF_FFFF_FFFF) << 80 | drawn
        value = value & ~(0xF000 << 64) | 0x7000 << 64
        value = value & ~(0xC000 << 48) | 0x8000 << 48
        return UUID(value.to_bytes(16))
