"""Examine what the database tells of an installation: what is wrong, and what to do about it.

Settings, keys, the mail server and the network are looked at elsewhere, in the same terms.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from authreset.store.api_tokens import list_api_tokens
from authreset.store.database import Transaction
from authreset.store.entities import list_entities
from authreset.store.letters import count_by_state, oldest_waiting_at
from authreset.store.requests import count_waiting
from authreset.store.vital_signs import VitalSigns, read_vital_signs
from authreset.store.workers import WorkerSign, list_workers

ALIVE = timedelta(minutes=1)
LATE_REQUEST, LOST_REQUEST = timedelta(minutes=1), timedelta(minutes=10)
LATE_LETTER = timedelta(minutes=15)
SOON = timedelta(days=14)
CLOCK_TOLERANCE = timedelta(seconds=2)
MOST_ENTITIES = 1000


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was seen, and what to do unless it is well."""

    check: str
    verdict: Verdict
    seen: str
    todo: str = ""


Findings: TypeAlias = Iterator[Finding]
OK, WARN, FAIL = Verdict.OK, Verdict.WARN, Verdict.FAIL


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """An API token that is not revoked."""

    id: int
    entry: str
    expires_at: datetime


def examine_vital_signs(signs: VitalSigns, now: datetime) -> Findings:
    """Judge whether commits last, and this machine's clock against the database's."""
    if signs.unsafe:
        yield Finding(
            "database",
            FAIL,
            f"{', '.join(signs.unsafe)}: a crash may lose requests that were acknowledged",
            "set it back to its default",
        )
    ahead = now - (signs.now or now)
    if abs(ahead) > CLOCK_TOLERANCE:
        side = "ahead of" if ahead > timedelta() else "behind"
        yield Finding(
            "clock",
            WARN,
            f"{abs(ahead.total_seconds()):.0f} s {side} the database's",
            "let both machines keep their time by NTP",
        )
    else:
        yield Finding("clock", OK, "agrees with the database's")


async def examine_traffic(tx: Transaction, now: datetime) -> list[Finding]:
    """Judge durability, clock, workers, backlog and tokens as they stand in the database."""
    waiting, oldest = await count_waiting(tx)
    letters = await count_by_state(tx)
    backlog = Backlog(waiting, oldest, letters, await oldest_waiting_at(tx))
    return [
        *examine_vital_signs(await read_vital_signs(tx), now),
        *examine_workers(await list_workers(tx), waiting + sum(letters.values()), now),
        *examine_backlog(backlog, now),
        *examine_tokens(await _list_tokens(tx), now),
    ]


async def _list_tokens(tx: Transaction) -> list[TokenFacts]:
    """Return tokens that people issued; those of OAuth clients live an hour and are renewed."""
    return [
        TokenFacts(token.id, ref.entry, token.expires_at)
        for ref, _name in (await list_entities(tx))[:MOST_ENTITIES]
        for token in await list_api_tokens(tx, ref.id)
        if token.revoked_at is None and token.permissions is None
    ]


def examine_workers(signs: Sequence[WorkerSign], waiting: int, now: datetime) -> Findings:
    """Judge the workers by their last signs of life, and the clocks of their machines."""
    alive = [sign for sign in signs if now - sign.seen_at < ALIVE]
    if not alive:
        yield Finding(
            "workers",
            FAIL if waiting else WARN,
            "none gave a sign of life within a minute, so nobody is mailed",
            "start one: `authreset serve` or `worker`",
        )
    for sign in alive:
        well = sign.mail_state == "reachable"
        yield Finding(
            "workers",
            OK if well else FAIL,
            f"{sign.name} is alive; mail server: {sign.mail_state}",
            "" if well else "see the check smtp",
        )
    ahead = max((sign.seen_at - now for sign in signs), default=timedelta())
    if ahead > CLOCK_TOLERANCE:
        yield Finding(
            "clock",
            WARN,
            f"a worker's clock is {ahead.total_seconds():.0f} s ahead of this machine's",
            "let every machine keep its time by NTP",
        )


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits: requests to be settled, letters to be sent, and since when."""

    requests: int
    oldest_request_at: datetime | None
    letters: Mapping[str, int]
    oldest_letter_at: datetime | None


def examine_backlog(backlog: Backlog, now: datetime) -> Findings:
    """Judge how long requests and letters have waited."""
    age = now - (backlog.oldest_request_at or now)
    verdict = FAIL if age > LOST_REQUEST else WARN if age > LATE_REQUEST else OK
    yield Finding(
        "requests",
        verdict,
        f"{backlog.requests} wait, the oldest for {_span(age)}",
        "" if verdict is OK else "see the check workers, and the worker's log",
    )
    age = now - (backlog.oldest_letter_at or now)
    counts = ", ".join(f"{count} {state}" for state, count in backlog.letters.items())
    late = age > LATE_LETTER
    yield Finding(
        "letters",
        WARN if late else OK,
        f"{counts}; the oldest for {_span(age)}",
        "see the check smtp; `authreset request trace` tells about one" if late else "",
    )


def examine_tokens(tokens: Sequence[TokenFacts], now: datetime) -> Findings:
    """Judge which tokens run out soon, or did a short time ago."""
    near = [token for token in tokens if abs(token.expires_at - now) < SOON]
    for token in sorted(near, key=lambda token: token.expires_at):
        verb = "runs out" if token.expires_at > now else "ran out"
        yield Finding(
            "tokens",
            WARN,
            f"token {token.id} of {token.entry} {verb} on {token.expires_at:%Y-%m-%d}",
            "issue another with `authreset token issue`",
        )
    if not near:
        yield Finding("tokens", OK, f"{len(tokens)}, none runs out within {SOON.days} days")


def _span(age: timedelta) -> str:
    seconds = max(int(age.total_seconds()), 0)
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
