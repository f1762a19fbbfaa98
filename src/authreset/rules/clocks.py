"""The types by which time and chance are handed in. The real ones live in `authreset.clock`."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]
"""Answers the present instant, aware and in UTC."""

RandomBytes: TypeAlias = Callable[[int], bytes]
"""Answers that many unpredictable bytes."""
