"""Sweep: remove what is past its time, in small batches that hold no lock for long."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from authreset.store.api_tokens import sweep_access_tokens
from authreset.store.database import Database, Transaction
from authreset.store.events import sweep_events
from authreset.store.letters import sweep_letters
from authreset.store.mailboxes import sweep_mailboxes
from authreset.store.requests import sweep_requests
from authreset.store.resets import sweep_resets
from authreset.store.sessions import sweep_sessions
from authreset.store.workers import sweep_workers

BATCH = 500

Sweeper = Callable[[Transaction, datetime, int], Awaitable[int]]


async def sweep(database: Database, now: datetime, retention: timedelta) -> dict[str, int]:
    """Remove old rows and return how many of each noun. StoreUnavailable midway does no harm."""
    kept_since, yesterday = now - retention, now - timedelta(days=1)
    chores: dict[str, tuple[Sweeper, datetime]] = {
        "requests": (sweep_requests, kept_since),
        "letters": (sweep_letters, kept_since),
        "resets": (sweep_resets, kept_since),
        "events": (sweep_events, kept_since),
        "mailboxes": (sweep_mailboxes, yesterday),
        "sessions": (sweep_sessions, yesterday),
        "access_tokens": (sweep_access_tokens, yesterday),
        "workers": (sweep_workers, yesterday),
    }
    return {noun: await _sweep_one(database, *chore) for noun, chore in chores.items()}


async def _sweep_one(database: Database, sweeper: Sweeper, before: datetime) -> int:
    removed = 0
    while True:
        async with database.begin() as tx:
            count = await sweeper(tx, before, BATCH)
        removed += count
        if count < BATCH:
            return removed
