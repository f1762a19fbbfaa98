"""The loop around the flows: settle requests, send letters, sweep. Decides nothing itself."""

import asyncio
import collections
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter

from authreset.flows.deliver_letters import RECORD_PAUSE_SECONDS, Job, Mailer, Report
from authreset.flows.mail_links import ProcessingRules
from authreset.flows.process_requests import process_requests
from authreset.flows.sweep import sweep
from authreset.rules.circuits import Circuit
from authreset.store.database import Database, StoreUnavailable
from authreset.store.requests import Settlement
from authreset.store.workers import WorkerSign, forget_worker, sign_worker

BATCH = 500
POLL_SECONDS = 1.0
SIGN_SECONDS = 15.0
SWEEP_SECONDS = 3600.0
FAULT_SECONDS = 1.0
LETTERS_A_SENDER = 16
GATHER_SECONDS = 0.02
"""How long a busy worker lets requests gather; a lone request is settled at once."""

SETTLED = Counter("authreset_requests_settled", "Requests the worker settled.", ["outcome"])
ATTEMPTS = Counter("authreset_letter_attempts", "Attempts to send a letter.", ["state"])
STALE = Counter("authreset_stale_leases", "Attempts that ended after their lease was lost.")


class Worker:
    """Runs until `stop` is set, then finishes or gives back what it holds."""

    def __init__(
        self,
        *,
        name: str,
        database: Database,
        rules: ProcessingRules,
        mailer: Mailer,
        circuit: Circuit,
        retention: timedelta,
        senders: int,
    ) -> None:
        self._name = name
        self._database = database
        self._rules = rules
        self._mailer = mailer
        self._circuit = circuit
        self._retention = retention
        self._senders = senders
        self._started_at: datetime = rules.clock()
        self._log = structlog.get_logger("authreset.worker")
        self._wake = asyncio.Event()
        self._mail = asyncio.Event()
        self._stop = asyncio.Event()
        self._drained = asyncio.Event()
        self._jobs: asyncio.Queue[Job] = asyncio.Queue(maxsize=senders * LETTERS_A_SENDER)
        self._appetite = self._jobs.maxsize  # how many letters to hold at most
        self._held = 0  # leased and neither recorded nor given back
        self._was_cut_off = False

    def stop(self) -> None:
        """Ask the worker to end in good order."""
        self._stop.set()
        self._wake.set()
        self._mail.set()

    async def run(self) -> None:
        """Work until `stop` is called."""
        self._log.info("worker_started", name=self._name, senders=self._senders)
        async with self._database.wakeups.listening(self._wake):
            sending = [asyncio.create_task(self._send_forever()) for _ in range(self._senders)]
            resting = [
                asyncio.create_task(self._repeat(SWEEP_SECONDS, self._sweep)),
                asyncio.create_task(self._repeat(SIGN_SECONDS, self._sign)),
            ]
            await asyncio.gather(self._process_forever(), self._lease_forever())
            await self._finish(sending, resting)
        self._log.info("worker_stopped", name=self._name)

    async def _finish(
        self, sending: list[asyncio.Task[None]], resting: list[asyncio.Task[None]]
    ) -> None:
        for task in resting:
            task.cancel()
        await self._give_back_waiting()
        await self._jobs.join()  # letters under way are sent to their end
        for task in sending:
            task.cancel()
        with suppress(StoreUnavailable):
            async with self._database.begin() as tx:
                await forget_worker(tx, self._name)

    async def _process_forever(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            if not await self._guarded(self._process):
                await self._pause(self._wake, POLL_SECONDS)

    async def _process(self) -> bool:
        """Settle a batch; tell whether more may be waiting."""
        settled = await process_requests(self._database, self._rules, BATCH)
        if settled:
            self._tell(settled)
        self._mail.set()  # also without requests: a change of password queues a letter too
        if 0 < len(settled) < BATCH // 4:
            # A batch of a few costs the database, and so the intake, as much as one of many.
            await self._pause(self._stop, GATHER_SECONDS)
        return bool(settled)

    def _tell(self, settled: Sequence[Settlement]) -> None:
        # A line for each would cost more than settling it, and tell less than its row does.
        outcomes = collections.Counter(one.outcome.value for one in settled)
        for outcome, count in outcomes.items():
            SETTLED.labels(outcome).inc(count)
        self._log.info("requests_settled", count=len(settled), **outcomes)

    async def _lease_forever(self) -> None:
        while not self._stop.is_set():
            self._mail.clear()
            if not await self._guarded(self._lease):
                await self._pause(self._mail, POLL_SECONDS)

    async def _lease(self) -> bool:
        if self._was_cut_off:
            await self._return()
        self._drained.clear()
        if self._jobs.qsize() > self._appetite // 4:
            # A lease costs as much for one letter as for many.
            await self._pause(self._drained, POLL_SECONDS)
            return True
        room = self._appetite - self._jobs.qsize()
        wanted = self._circuit.allowance(room, under_way=self._held)
        if wanted == 0:
            await self._pause(self._stop, max(min(self._circuit.seconds_to_wait(), 1.0), 0.02))
            return True
        self._appetite = min(self._appetite * 2, self._jobs.maxsize)
        jobs = await self._mailer.lease(wanted)
        self._held += len(jobs)
        for job in jobs:
            await self._jobs.put(job)
        return bool(jobs)

    async def _return(self) -> None:
        """Let whoever holds a letter record it first: its lease may have run out meanwhile."""
        await self._sign()  # raises as long as the database takes nothing
        self._was_cut_off = False
        await self._pause(self._stop, 2 * RECORD_PAUSE_SECONDS)

    async def _send_forever(self) -> None:
        while True:
            job = await self._jobs.get()
            try:
                await self._guarded(lambda job=job: self._send(job))  # type: ignore[misc]  # mypy cannot infer a lambda's default
            finally:
                self._let_go()

    async def _send(self, job: Job) -> bool:
        report = await self._mailer.deliver(job)
        if report is None:
            self._appetite = self._senders  # it took more than it could send in time
            await self._give_back_waiting()  # those behind it have waited as long
            return False
        self._note(report)
        if report.reachable is False:
            self._circuit.fail()
            await self._give_back_waiting()
        elif report.reachable and self._circuit.succeed():
            self._log.info("mail_server_back", hastened=await self._mailer.hasten())
            self._mail.set()
        return True

    def _note(self, report: Report) -> None:
        attempt = report.attempt
        ATTEMPTS.labels(attempt.state.value).inc()
        if not report.recorded:
            STALE.inc()
        if report.fault is not None:
            self._log.error(
                "letter_unwritable", letter_id=str(attempt.letter.id), exc_info=report.fault
            )
        self._log.info(
            "letter_attempted",
            letter_id=str(attempt.letter.id),
            state=attempt.state.value,
            smtp_code=attempt.smtp_code,
            reason=attempt.smtp_text,
            recorded=report.recorded,
        )

    async def _give_back_waiting(self) -> None:
        held: list[Job] = []
        while not self._jobs.empty():
            held.append(self._jobs.get_nowait())
        try:
            if held:
                await self._mailer.give_back(held)
        except StoreUnavailable:
            self._log.warning("leases_left_to_run_out", count=len(held))
        finally:
            for _ in held:
                self._let_go()

    def _let_go(self) -> None:
        self._held -= 1
        self._jobs.task_done()
        if self._jobs.qsize() <= self._appetite // 4:
            self._drained.set()

    async def _sweep(self) -> bool:
        removed = await sweep(self._database, self._rules.clock(), self._retention)
        self._log.info("swept", **removed)
        return True

    async def _sign(self) -> bool:
        state = "reachable" if self._circuit.is_closed else "the mail server cannot be reached"
        async with self._database.begin() as tx:
            await sign_worker(
                tx, WorkerSign(self._name, self._started_at, self._rules.clock(), state)
            )
        return True

    async def _repeat(self, seconds: float, chore: Callable[[], Awaitable[bool]]) -> None:
        while True:
            await self._guarded(chore)
            await asyncio.sleep(seconds)

    async def _guarded(self, chore: Callable[[], Awaitable[bool]]) -> bool:
        """Run a chore; a fault is told and does not end the worker."""
        try:
            return await chore()
        except StoreUnavailable as error:
            self._was_cut_off = True
            self._log.warning("database_unavailable", reason=str(error))
        except Exception as error:
            self._log.error("chore_failed", error=type(error).__name__, exc_info=error)
        await self._pause(self._stop, FAULT_SECONDS)
        return False

    @staticmethod
    async def _pause(event: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
