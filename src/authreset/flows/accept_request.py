"""Accept a request: append one row, answer after its commit. Knows no user and no outcome."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import structlog
from prometheus_client import Counter

from authreset.store.database import StoreUnavailable
from authreset.store.shared_commits import QueueFull, SharedCommit

_log = structlog.get_logger("authreset.intake")

MOST_WAITING = 4096
"""Requests that may wait for the disk; beyond it the answer is 503 at once."""

PATIENCE_SECONDS = 1.75
"""A caller is told within two seconds, also by a database that keeps silent."""


class NewRequest(NamedTuple):
    """What is asked, by which token, for which node, from where.

    `source` is "api" or "page". The order of the fields is that of `store.intake.COLUMNS`.
    """

    id: UUID
    received_at: datetime
    source: str
    token_id: int | None
    user_id: int | None
    entity_id: int
    root_id: int
    email: str | None
    client_address: str | None


class Recorded:
    """The request is on disk."""


class Full:
    """Too many requests wait for the disk; this one was not recorded."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The database did not confirm the request. It may hold it all the same if a commit was cut."""

    reason: str


class Refused:
    """The database does not take this very row: a fault of ours, told in the log."""


Accepted = Recorded | Full | Unavailable | Refused

RECORDED: Final = Recorded()
FULL: Final = Full()
REFUSED: Final = Refused()

ACCEPTED = Counter("authreset_requests_accepted", "Requests on disk and answered with 200.")


class Intake:
    """Takes requests; many that come at the same time share one commit.

    `append` makes rows durable in one transaction, or raises StoreUnavailable for all of them;
    it may be called `flights` times at once.
    """

    def __init__(
        self,
        append: Callable[[list[NewRequest]], Awaitable[None]],
        *,
        most_waiting: int = MOST_WAITING,
        flights: int = 1,
    ) -> None:
        self._append = append
        self._commits = SharedCommit(
            self._commit,
            most_waiting=most_waiting,
            flights=flights,
            patience=PATIENCE_SECONDS,
        )

    def record_soon(self, request: NewRequest, told: Callable[[Accepted], None]) -> None:
        """Call `told` once the request is on disk, or once it is certain that we cannot say so."""
        try:
            self._commits.add_soon(request, lambda fault: told(_accepted(fault)))
        except QueueFull:
            told(FULL)

    async def record(self, request: NewRequest) -> Accepted:
        """Return once the request is on disk, or once it is certain that we cannot say so."""
        try:
            await self._commits.add(request)
        except QueueFull:
            return FULL
        except Exception as fault:
            return _accepted(fault)
        return RECORDED

    async def close(self) -> None:
        """Wait until everything that was taken is flushed."""
        await self._commits.drain()

    async def _commit(self, requests: list[NewRequest]) -> None:
        await self._append(requests)
        # After this turn of the loop, in which the callers are told: they need not wait for it.
        asyncio.get_running_loop().call_soon(ACCEPTED.inc, len(requests))


def _accepted(fault: Exception | None) -> Accepted:
    if fault is None:
        return RECORDED
    if isinstance(fault, StoreUnavailable):
        return Unavailable(str(fault))
    _log.error("row_refused", error=type(fault).__name__)
    return REFUSED
