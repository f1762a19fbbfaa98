"""Deliver letters: lease, compose, send outside any transaction, record under the lease's fence."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from authreset.flows.compose_letter import Composition, Uncomposable, compose_letter
from authreset.flows.judge_delivery import Outcome, Unwritable, judge_delivery, was_reachable
from authreset.flows.mail_links import ProcessingRules
from authreset.flows.renew_reset import has_run_out, renew_reset
from authreset.mail.carriers import Carrier
from authreset.mail.rendering import render
from authreset.rules.clocks import Clock
from authreset.rules.outcomes import LetterState, Template
from authreset.rules.retry import DEFAULT_POLICY, RetryPolicy
from authreset.store.database import Database, StoreUnavailable, Transaction
from authreset.store.entities import EntityProfile, load_profiles
from authreset.store.letters import (
    Attempt,
    LeasedLetter,
    hasten_unreachable,
    lease_due,
    record_attempts,
    release,
)
from authreset.store.resets import Reset, find_resets, start_lifetimes
from authreset.store.shared_commits import SharedCommit

LEASE = timedelta(minutes=5)
SENDING_TAKES = timedelta(minutes=4)
"""The longest that a carrier takes: no letter is begun that might outlast its lease."""

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
    mail server answered; None when it was not asked. `fault`: why the letter could not be written.
    """

    attempt: Attempt
    recorded: bool
    reachable: bool | None
    fault: Exception | None = None


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
        sending_takes: timedelta = SENDING_TAKES,
    ) -> None:
        self._database = database
        self._carrier = carrier
        self._composition = composition
        self._rules = rules
        self._clock: Clock = rules.clock
        self._chance = chance
        self._retry = retry
        self._lease = lease
        self._sending_takes = sending_takes
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
        """Send one letter and record how it went.

        None: it was given back, since its lease or its link would not have lasted. Raises
        StoreUnavailable if that could not be said; then the lease runs out.
        """
        now = self._clock()
        too_late = now > job.letter.lease_ends_at - self._sending_takes
        if too_late or (job.reset is not None and has_run_out(job.reset, now)):
            await self.give_back([job])
            return None
        outcome = await self._send(job, now)
        attempt = judge_delivery(
            job.letter, outcome, self._clock(), retry=self._retry, chance=self._chance
        )
        await self._keep_recording(attempt, job.reset)
        recorded = job.letter.id not in self._stale
        self._stale.discard(job.letter.id)
        fault = outcome.error if isinstance(outcome, Unwritable) else None
        return Report(attempt, recorded, was_reachable(outcome), fault)

    async def give_back(self, jobs: Sequence[Job]) -> None:
        """Return letters untried. Raises StoreUnavailable; then their leases run out instead."""
        async with self._database.begin() as tx:
            await release(tx, [job.letter for job in jobs], self._clock())

    async def hasten(self) -> int:
        """Let letters that waited for an unreachable mail server go out now that it is back."""
        async with self._database.begin() as tx:
            return await hasten_unreachable(tx, self._clock())

    async def _keep_recording(self, attempt: Attempt, reset: Reset | None) -> None:
        """Record, also across an outage of the database: a mail that went out is not sent twice.

        It may last longer than the lease, which nobody can take over meanwhile; nor in the moment
        after it, which workers leave to this.
        """
        while True:
            try:
                return await self._records.add((attempt, reset))
            except StoreUnavailable:
                await asyncio.sleep(RECORD_PAUSE_SECONDS)

    async def _send(self, job: Job, now: datetime) -> Outcome:
        if job.letter.template is Template.RESET and (
            job.reset is None or not job.reset.is_live(now)
        ):
            return Uncomposable("its link is over: used, expired or ended by a change")
        try:
            envelope = compose_letter(job.letter, job.profile, job.reset, self._composition)
            if isinstance(envelope, Uncomposable):
                return envelope
            message = render(envelope)
        except Exception as error:  # a tenant's setting, or a fault of ours that can be mended
            return Unwritable(error)
        return await self._carrier.send(message, envelope.recipient)

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
        reset = None if letter.reset_id is None else resets.get(letter.reset_id)
        if reset is None or not has_run_out(reset, now):
            return reset
        return await renew_reset(tx, self._rules, letter, reset, now)
