"""Deliver letters: lease, compose, send outside any transaction, record under the lease's fence."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from authreset.flows.compose_letter import Composition, Uncomposable, compose_letter
from authreset.flows.mail_links import ProcessingRules, new_reset
from authreset.mail.carriers import Accepted, Carrier, Deferred, Delivery
from authreset.mail.rendering import render
from authreset.rules.clocks import Clock
from authreset.rules.outcomes import LetterState, ResetEnd, Template
from authreset.rules.retry import DEFAULT_POLICY, GiveUp, RetryPolicy, decide_retry
from authreset.store.database import Database, StoreUnavailable, Transaction
from authreset.store.entities import EntityProfile, load_profiles
from authreset.store.letters import (
    Attempt,
    LeasedLetter,
    change_reset,
    hasten_unreachable,
    lease_due,
    record_attempts,
    release,
)
from authreset.store.resets import (
    Reset,
    add_resets,
    end_resets,
    find_resets,
    find_unended_resets,
    start_lifetimes,
)
from authreset.store.shared_commits import SharedCommit
from authreset.store.users import lock_users

LEASE = timedelta(minutes=5)
SENDING_TAKES = timedelta(minutes=1)
"""No letter is begun that might still be under way when its lease ends."""

RECORD_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Job:
    """A leased letter with the rows that it is composed from."""

    letter: LeasedLetter
    profile: EntityProfile
    reset: Reset | None


@dataclass(frozen=True, slots=True)
class Report:
    """How one attempt went.

    `recorded` False: the lease was lost, and its successor will record. `reachable`: whether the
    mail server answered; None when it was not asked.
    """

    attempt: Attempt
    recorded: bool
    reachable: bool | None


class Mailer:
    """Sends letters through a carrier. Attempts that end at the same time share one commit."""

    def __init__(
        self,
        *,
        database: Database,
        carrier: Carrier,
        composition: Composition,
        rules: ProcessingRules,
        chance: Callable[[], float],
        retry: RetryPolicy = DEFAULT_POLICY,
        lease: timedelta = LEASE,
    ) -> None:
        self._database = database
        self._carrier = carrier
        self._composition = composition
        self._rules = rules
        self._clock: Clock = rules.clock
        self._chance = chance
        self._retry = retry
        self._lease = lease
        self._stale: set[UUID] = set()
        self._records: SharedCommit[tuple[Attempt, Reset | None]] = SharedCommit(self._record)

    async def lease(self, limit: int) -> list[Job]:
        """Take up to `limit` letters that are due. Raises StoreUnavailable."""
        async with self._database.begin() as tx:
            now = self._clock()
            letters = await lease_due(tx, now, lease=self._lease, limit=limit)
            if not letters:
                return []
            profiles = await load_profiles(tx, {one.entity_id for one in letters})
            ids = {one.reset_id for one in letters if one.reset_id is not None}
            resets = await find_resets(tx, ids)
            return [
                Job(one, profiles[one.entity_id], await self._current_reset(tx, one, resets, now))
                for one in letters
            ]

    async def deliver(self, job: Job) -> Report | None:
        """Send one letter and record how it went; None when its lease is nearly over."""
        now = self._clock()
        if now > job.letter.lease_ends_at - SENDING_TAKES:
            return None
        delivery = await self._send(job, now)
        attempt = self._judge(job.letter, delivery, self._clock())
        await self._keep_recording(attempt, job.reset)
        recorded = job.letter.id not in self._stale
        self._stale.discard(job.letter.id)
        return Report(attempt, recorded, _was_reachable(delivery))

    async def give_back(self, jobs: Sequence[Job]) -> None:
        """Return letters untried. Raises StoreUnavailable; then their leases run out instead."""
        async with self._database.begin() as tx:
            await release(tx, [job.letter for job in jobs], self._clock())

    async def hasten(self) -> int:
        """Let letters that waited for an unreachable mail server go out now that it is back."""
        async with self._database.begin() as tx:
            return await hasten_unreachable(tx, self._clock())

    async def _keep_recording(self, attempt: Attempt, reset: Reset | None) -> None:
        """Record, also across an outage of the database: a mail that went out is not sent twice."""
        while True:
            try:
                return await self._records.add((attempt, reset))
            except StoreUnavailable:
                if self._clock() > attempt.letter.lease_ends_at:
                    raise
            await asyncio.sleep(RECORD_PAUSE_SECONDS)

    async def _send(self, job: Job, now: datetime) -> Delivery | Uncomposable:
        if job.letter.template is Template.RESET and (
            job.reset is None or not job.reset.is_live(now)
        ):
            return Uncomposable("its link is over: used, expired or ended by a change")
        envelope = compose_letter(job.letter, job.profile, job.reset, self._composition)
        if isinstance(envelope, Uncomposable):
            return envelope
        return await self._carrier.send(render(envelope), envelope.recipient)

    def _judge(
        self, letter: LeasedLetter, delivery: Delivery | Uncomposable, now: datetime
    ) -> Attempt:
        if isinstance(delivery, Uncomposable):
            return Attempt(
                letter=letter,
                state=LetterState.FAILED,
                at=now,
                due_at=now,
                smtp_text=delivery.reason,
            )
        if isinstance(delivery, Accepted):
            return Attempt(
                letter=letter,
                state=LetterState.ACCEPTED,
                at=now,
                due_at=now,
                smtp_code=delivery.code,
                smtp_text=delivery.text,
                queue_id=delivery.queue_id,
            )
        if isinstance(delivery, Deferred):
            return self._defer(letter, delivery, now)
        return Attempt(
            letter=letter,
            state=LetterState.FAILED,
            at=now,
            due_at=now,
            smtp_code=delivery.code,
            smtp_text=delivery.reason,
        )

    def _defer(self, letter: LeasedLetter, fault: Deferred, now: datetime) -> Attempt:
        decision = decide_retry(
            attempts=letter.attempts + 1,
            first_attempt_at=letter.first_attempt_at or now,
            now=now,
            chance=self._chance,
            policy=self._retry,
        )
        if isinstance(decision, GiveUp):
            return Attempt(
                letter=letter,
                state=LetterState.FAILED,
                at=now,
                due_at=now,
                smtp_code=fault.code,
                smtp_text=f"{decision.reason}; last: {fault.reason}",
            )
        return Attempt(
            letter=letter,
            state=LetterState.DEFERRED,
            at=now,
            due_at=decision.at,
            smtp_code=fault.code,
            smtp_text=fault.reason,
        )

    async def _record(self, ended: list[tuple[Attempt, Reset | None]]) -> None:
        async with self._database.begin() as tx:
            recorded = await record_attempts(tx, [attempt for attempt, _ in ended])
            await start_lifetimes(
                tx,
                [
                    (reset, attempt.at)
                    for attempt, reset in ended
                    if reset is not None and attempt.state is LetterState.ACCEPTED
                ],
            )
        self._stale |= {
            attempt.letter.id for attempt, _ in ended if attempt.letter.id not in recorded
        }

    async def _current_reset(
        self, tx: Transaction, letter: LeasedLetter, resets: dict[UUID, Reset], now: datetime
    ) -> Reset | None:
        """Return the letter's reset; one that grew too old before anyone got it is made anew."""
        reset = None if letter.reset_id is None else resets.get(letter.reset_id)
        if reset is None or reset.ended_at is not None or reset.expires_at is not None:
            return reset
        if now < reset.deadline_at:
            return reset
        return await self._renew(tx, letter, reset, now)

    async def _renew(
        self, tx: Transaction, letter: LeasedLetter, old: Reset, now: datetime
    ) -> Reset | None:
        await lock_users(tx, [old.user_id])
        if (await find_unended_resets(tx, [old.user_id])).get(old.user_id) != old:
            return None
        await end_resets(tx, [old.user_id], ResetEnd.UNDELIVERED, now)
        lifetime = timedelta(seconds=old.lifetime_seconds)
        fresh = new_reset(self._rules, old.user_id, old.entity_id, lifetime, now)
        await add_resets(tx, [fresh])
        await change_reset(tx, letter.id, fresh.id)
        return fresh


def _was_reachable(delivery: Delivery | Uncomposable) -> bool | None:
    if isinstance(delivery, Uncomposable):
        return None
    return not (isinstance(delivery, Deferred) and delivery.code in (None, 421))
