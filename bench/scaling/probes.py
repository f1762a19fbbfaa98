"""What is measured: the product's own functions, each timed on one filled database.

A probe that changes rows takes its changes back, unless its name says that a batch is settled.
"""

from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from itertools import count, islice
from typing import Any
from uuid import uuid4

from authreset.flows.process_requests import process_requests
from authreset.flows.trace_request import trace_by_email
from authreset.rules.outcomes import LetterState
from authreset.store.api_tokens import find_api_token
from authreset.store.letters import (
    Attempt,
    LeasedLetter,
    count_by_state,
    hasten_unreachable,
    lease_due,
    next_due_at,
    oldest_waiting_at,
    record_attempts,
)
from authreset.store.requests import claim_waiting, count_waiting
from authreset.store.users import find_users_by_email
from authreset.store.workers import list_workers
from authreset.web.health import MOST_COUNTED
from bench.scaling.content import address, root_of, stranger, token_digest
from bench.scaling.series import Measure
from bench.scaling.sites import Site, clocked

BATCH = 500
"""As many requests as the worker claims at once."""

LEASED = 240
"""As many letters as the worker leases at once, with a mail server's five connections."""

COMMIT = 64
"""As many requests as share a commit under load."""

TOKENS = 20
LEASE = timedelta(minutes=5)
STEP = 7_919
"""A prime: steps so wide lead through all the users, and seldom to the same page twice."""

Sample = Callable[[], Awaitable[float]]


def look_ups(site: Site) -> Iterator[Measure]:
    """What depends on how many users and tokens there are."""
    people, askers = _people(site), _people(site)  # who asks twice soon is no longer mailed
    yield Measure(f"look-up of {BATCH} addresses", _look_up(site, people, BATCH))
    yield Measure("look-up of one address", _look_up(site, people, 1))
    yield Measure(f"a batch of {BATCH} settled, letters queued: each", _batch(site, askers))
    yield Measure("API token, not in the cache", _token(site))
    yield Measure("trace of an e-mail address", _trace(site, lambda: address(next(people))))


def queues(site: Site) -> Iterator[Measure]:
    """What depends on how much waits, and for how many tenants."""
    strangers = (stranger(number) for number in count())
    yield Measure(f"claim of up to {BATCH} requests: each", _claim(site))
    yield Measure(f"lease of up to {LEASED} letters: each", _lease(site))
    yield Measure(f"record of {COMMIT} attempts: each", _record(site))
    yield Measure("when the next letter is due", _read(site, next_due_at))
    yield Measure(f"intake: {COMMIT} requests in one commit", _append(site))
    yield Measure("the queries of /metrics", _read(site, _metrics))
    yield Measure("trace of an e-mail address", _trace(site, lambda: next(strangers)))
    yield Measure("letters hastened when the mail server is back", _hasten(site))
    yield Measure(f"a batch of up to {BATCH} settled, nobody's addresses: each", _settle(site))


async def claims(site: Site) -> float:
    """Return what claiming a batch takes, all of it."""
    async with site.database.read() as tx:
        taken, _ = await clocked(lambda: claim_waiting(tx, site.rules.clock(), BATCH))
    return taken


def _people(site: Site) -> Iterator[int]:
    users = site.content.users
    return (number * STEP % users for number in count())


def _look_up(site: Site, people: Iterator[int], many: int) -> Sample:
    async def sample() -> float:
        wanted = list(islice(people, many))
        keys = [(root_of(number, site.content), address(number)) for number in wanted]
        async with site.database.read() as tx:
            taken, found = await clocked(lambda: find_users_by_email(tx, keys))
        assert len(found) == len(set(keys))
        return taken

    return sample


def _batch(site: Site, people: Iterator[int]) -> Sample:
    async def sample() -> float:
        asked = [ask(site, one, address(one)) for one in islice(people, BATCH)]
        await site.appender.append(asked)
        taken, settled = await clocked(lambda: process_requests(site.database, site.rules, BATCH))
        return taken / len(settled)

    return sample


def _settle(site: Site) -> Sample:
    fresh = count(site.content.waiting_requests)

    async def sample() -> float:
        taken, settled = await clocked(lambda: process_requests(site.database, site.rules, BATCH))
        # As many come in as were settled: the queue keeps its length.
        added = [ask(site, one, stranger(one)) for one in islice(fresh, len(settled))]
        await site.appender.append(added)
        return taken / len(settled)

    return sample


def ask(site: Site, number: int, email: str) -> Any:
    """Return a request at the root of that number, as the intake appends it."""
    root = root_of(number, site.content)
    now = site.rules.clock()
    return (uuid4(), now, "api", 1, None, root, root, email, "203.0.113.7")


def _token(site: Site) -> Sample:
    numbers = (number * STEP % site.content.tokens for number in count())

    async def sample() -> float:
        taken = 0.0
        for _ in range(TOKENS):
            digest = token_digest(next(numbers))
            async with site.database.read() as tx:
                one, found = await clocked(lambda digest=digest: find_api_token(tx, digest))  # type: ignore[misc]
            assert found is not None
            taken += one
        return taken / TOKENS

    return sample


def _claim(site: Site) -> Sample:
    async def sample() -> float:
        async with site.database.read() as tx:  # rolled back, so that the queue stays as it is
            now = site.rules.clock()
            taken, claimed = await clocked(lambda: claim_waiting(tx, now, BATCH))
        return taken / len(claimed)

    return sample


def _lease(site: Site) -> Sample:
    async def sample() -> float:
        async with site.database.read() as tx:
            taken, leased = await clocked(lambda: lease(site, tx, LEASED))
        return taken / len(leased)

    return sample


def _record(site: Site) -> Sample:
    async def sample() -> float:
        async with site.database.read() as tx:
            ended = [accepted(one) for one in await lease(site, tx, COMMIT)]
            taken, recorded = await clocked(lambda: record_attempts(tx, ended))
        return taken / len(recorded)

    return sample


async def lease(site: Site, tx: Any, limit: int) -> list[LeasedLetter]:
    """Lease letters in a transaction."""
    return await lease_due(tx, site.rules.clock(), lease=LEASE, limit=limit)


def accepted(letter: LeasedLetter) -> Attempt:
    """Return the attempt with which the mail server took a letter."""
    at = letter.lease_ends_at
    return Attempt(letter=letter, state=LetterState.ACCEPTED, at=at, due_at=at, smtp_code=250)


def _read(site: Site, query: Callable[[Any], Awaitable[object]]) -> Sample:
    async def sample() -> float:
        async with site.database.read() as tx:
            taken, _ = await clocked(lambda: query(tx))
        return taken

    return sample


async def _metrics(tx: Any) -> None:
    await count_waiting(tx, MOST_COUNTED)
    await count_by_state(tx, MOST_COUNTED)
    await oldest_waiting_at(tx)
    await list_workers(tx)


def _hasten(site: Site) -> Sample:
    return _read(site, lambda tx: hasten_unreachable(tx, site.rules.clock()))


def _trace(site: Site, email: Callable[[], str]) -> Sample:
    return _read(site, lambda tx: trace_by_email(tx, email(), [site.rules.keyring]))


def _append(site: Site) -> Sample:
    async def sample() -> float:
        rows = [ask(site, one, stranger(one)) for one in range(COMMIT)]
        return (await clocked(lambda: site.appender.append(rows)))[0]

    return sample
