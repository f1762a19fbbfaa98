"""What the HTTP edge logs and counts. Never a token, a body or a path with a secret."""

from collections.abc import Callable

import structlog
from prometheus_client import Counter

from authreset.web.faults import INTERNAL, Fault

MOST_LINES_A_SECOND = 20

NO_ROUTE = "(none)"
"""Stands for a route where none answered: a path of a stranger must not name a metric."""

ANSWERS = Counter("authreset_answers", "Answers that were no success.", ["route", "status"])


class Journal:
    """Logs refusals, at most so many lines a second: a flood must not fill the disk."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._log = structlog.get_logger("authreset.web")
        self._monotonic = monotonic
        self._second = 0
        self._lines = 0
        self._silenced = 0

    def refused(self, request_id: str, route: str, status: int, reason: str) -> None:
        """Tell of an answer that was no success. `route` is a pattern of ours, no path."""
        ANSWERS.labels(route, status).inc()
        if self._may_write():
            self._log.info(
                "refused", request_id=request_id, route=route, status=status, reason=reason
            )

    def failed(self, request_id: str, error: BaseException) -> Fault:
        """Tell of a fault of ours and return the answer for it."""
        # What the text of an exception may quote is masked by the last step of logging.
        self._log.error("failed", request_id=request_id, error=type(error).__name__, exc_info=error)
        return INTERNAL

    def _may_write(self) -> bool:
        second = int(self._monotonic())
        if second != self._second:
            if self._silenced:
                self._log.warning("refusals_not_logged", count=self._silenced)
            self._second, self._lines, self._silenced = second, 0, 0
        self._lines += 1
        if self._lines > MOST_LINES_A_SECOND:
            self._silenced += 1
            return False
        return True
