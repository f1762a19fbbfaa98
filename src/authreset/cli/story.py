"""A traced request as a story: every step with its instant, in plain words, and what to do.

Words alone: the facts come from `flows.trace_request`, printing is done elsewhere.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from authreset.cli.answers import iso
from authreset.cli.story_words import ENDS, OUTCOMES, live, received, reply
from authreset.flows.trace_request import Trace, TracedRequest
from authreset.rules.limits import MailboxPolicy
from authreset.rules.outcomes import LetterState, RequestOutcome, ResetEnd

ALIVE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, or is about to. `at` is None for what is only a state."""

    at: datetime | None
    name: str
    text: str
    todo: str | None = None


@dataclass(frozen=True, slots=True)
class Storyteller:
    """Tells the story of requests as seen at `now`, under the limits that hold now."""

    now: datetime
    limits: MailboxPolicy | None
    mailbox_shown: bool

    def tell(self, traced: TracedRequest, trace: Trace) -> list[Step]:
        """Return every step, in the order in which it happened."""
        steps = [*self._intake(traced, trace), *_reset(traced), *self._letter(traced)]
        dated = sorted((step for step in steps if step.at), key=lambda step: step.at or self.now)
        return [*dated, *(step for step in steps if step.at is None), *self._link(traced)]

    def _intake(self, traced: TracedRequest, trace: Trace) -> Iterator[Step]:
        row = traced.request
        yield Step(row["received_at"], "received", received(traced))
        if row["outcome"] is None:
            yield self._waiting(row, trace)
        else:
            text, todo = self._outcome(row, trace)
            yield Step(row["settled_at"], row["outcome"], text, todo)

    def _waiting(self, row: Mapping[str, Any], trace: Trace) -> Step:
        if row["attempts"]:
            return Step(
                None,
                "put_off",
                (
                    f"Dealing with it failed {row['attempts']} time(s) by a fault of ours"
                    f" ({row['reason']}); the next try is at {iso(row['due_at'])}."
                ),
                "Look for its id in the worker's log.",
            )
        if any(self.now - sign.seen_at < ALIVE for sign in trace.workers):
            return Step(
                None,
                "waiting",
                "No worker has dealt with it yet, but one is alive.",
                "Look again in a moment; if it stays so, read the worker's log.",
            )
        return Step(
            None,
            "waiting",
            ("No worker has dealt with it, and none gave a sign of life within a minute."),
            "Start one: `authreset worker`, or `authreset serve` without --no-worker.",
        )

    def _outcome(self, row: Mapping[str, Any], trace: Trace) -> tuple[str, str | None]:
        outcome = RequestOutcome(row["outcome"])
        if outcome is RequestOutcome.LIMITED:
            return self._limited(row["reason"]), (
                "An earlier mail holds the same link. To allow more, set AUTHRESET_MAILBOX_LIMITS."
            )
        text, todo = OUTCOMES[outcome]
        elsewhere = [user for user in trace.users if user.root_id != row["root_id"]]
        if outcome is RequestOutcome.NO_USER and elsewhere:
            text += (
                f" {len(elsewhere)} user(s) with it belong to other organizations, which this"
                " request cannot reach."
            )
        told = outcome in (RequestOutcome.REPEATED, RequestOutcome.INACTIVE)
        return (f"{text} ({row['reason']})" if told else text), todo

    def _limited(self, reason: str) -> str:
        met = reason.rpartition(" ")[2]
        why = {
            "spacing": "the last mail to it was too short a time ago",
            "hour": "it was mailed as often as is allowed in an hour",
            "day": "it was mailed as often as is allowed in a day",
        }.get(met, reason)
        return f"The mailbox's limit was met, so no mail was sent: {why}.{self._limits_now()}"

    def _limits_now(self) -> str:
        if self.limits is None:
            return " (There are no such limits now.)"
        return (
            f" The limits now: {self.limits.per_hour} an hour, {self.limits.per_day} a day,"
            f" {self.limits.spacing.total_seconds():g} s between."
        )

    def _letter(self, traced: TracedRequest) -> Iterator[Step]:
        letter = traced.letter
        if letter is None:
            if traced.request["letter_id"] is not None:
                yield Step(
                    None,
                    "letter_gone",
                    "Its letter was swept; settled ones are kept for AUTHRESET_RETENTION_DAYS.",
                )
            return
        yield Step(
            letter["created_at"],
            "letter_queued",
            f"Letter {letter['id']} to {letter['recipient']} was queued.",
        )
        if letter["first_attempt_at"] not in (None, letter["finished_at"]):
            yield Step(
                letter["first_attempt_at"],
                "first_attempt",
                "The first attempt to hand it to the mail server ended.",
            )
        yield self._letter_state(letter)

    def _letter_state(self, letter: Mapping[str, Any]) -> Step:
        said = reply(letter)
        tries = f"after {letter['attempts']} attempt(s)"
        match LetterState(letter["state"]):
            case LetterState.ACCEPTED if letter["smtp_text"] == "local mailbox":
                return Step(
                    letter["finished_at"],
                    "accepted",
                    ("No mail server is set, so it went to the local mailbox."),
                    "Read it at /mailbox." if self.mailbox_shown else "Set AUTHRESET_SMTP_URL.",
                )
            case LetterState.ACCEPTED:
                return Step(
                    letter["finished_at"],
                    "accepted",
                    f"The mail server took it {tries}: {said}",
                    (
                        "From here on the mail server's log tells more; then the spam"
                        " folder. Whether a mail was read is not recorded."
                    ),
                )
            case LetterState.FAILED:
                return Step(
                    letter["finished_at"],
                    "failed",
                    f"Given up {tries}: {said}",
                    "Mend what the mail server names, then ask for a reset again.",
                )
            case LetterState.DEFERRED:
                return Step(
                    None,
                    "deferred",
                    (f"A temporary fault {tries}: {said} Next attempt at {iso(letter['due_at'])}."),
                    "Nothing, if the fault passes. `authreset doctor` tries the mail server now.",
                )
            case LetterState.SENDING:
                return Step(
                    None,
                    "sending",
                    (
                        "A worker is sending it; should that worker die, another takes over at"
                        f" {iso(letter['due_at'])}."
                    ),
                )
            case LetterState.QUEUED:
                return Step(
                    None,
                    "queued",
                    "It waits for a worker to send it.",
                    "`authreset doctor` tells whether one is alive.",
                )

    def _link(self, traced: TracedRequest) -> Iterator[Step]:
        reset = traced.reset
        if reset is None:
            return
        if reset.ended_at is not None:
            yield Step(
                reset.ended_at,
                f"link_{reset.end_reason}",
                ENDS.get(reset.end_reason or "", "The link is over."),
            )
        elif not reset.is_live(self.now):
            yield Step(
                reset.expires_at or reset.deadline_at,
                "link_expired",
                ENDS[ResetEnd.EXPIRED],
                "Ask for a reset again.",
            )
        else:
            yield Step(None, "link_live", live(reset))


def _reset(traced: TracedRequest) -> Iterator[Step]:
    reset = traced.reset
    if reset is not None:
        yield Step(
            reset.created_at, "reset_made", f"Reset {reset.id} was made for user {reset.user_id}."
        )
