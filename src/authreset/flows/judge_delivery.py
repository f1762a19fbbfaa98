"""Judge a delivery: what an attempt to send a letter leaves behind, and when it is tried again.

Only the decision; sending and recording live in `deliver_letters`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from authreset.flows.compose_letter import Uncomposable
from authreset.mail.carriers import Accepted, Deferred, Delivery
from authreset.rules.outcomes import LetterState
from authreset.rules.retry import GiveUp, RetryPolicy, decide_retry
from authreset.store.letters import Attempt, LeasedLetter


@dataclass(frozen=True, slots=True)
class Unwritable:
    """Composing or rendering the letter failed; it may succeed once the cause is mended."""

    error: Exception


Outcome = Delivery | Uncomposable | Unwritable


def judge_delivery(
    letter: LeasedLetter,
    outcome: Outcome,
    now: datetime,
    *,
    retry: RetryPolicy,
    chance: Callable[[], float],
) -> Attempt:
    """Return what is to be recorded of an attempt."""
    attempt = Attempt(letter=letter, state=LetterState.FAILED, at=now, due_at=now)
    match outcome:
        case Accepted(code, text, queue_id):
            return replace(
                attempt,
                state=LetterState.ACCEPTED,
                smtp_code=code,
                smtp_text=text,
                queue_id=queue_id,
            )
        case Deferred(code, reason):
            return _defer(replace(attempt, smtp_code=code, smtp_text=reason), retry, chance)
        case Unwritable(error):
            reason = f"the letter could not be written: {type(error).__name__}"
            return _defer(replace(attempt, smtp_text=reason), retry, chance)
        case Uncomposable(reason):
            return replace(attempt, smtp_text=reason)
        case _:
            return replace(attempt, smtp_code=outcome.code, smtp_text=outcome.reason)


def was_reachable(outcome: Outcome) -> bool | None:
    """Tell whether the mail server answered; None when it was not asked."""
    if isinstance(outcome, Uncomposable | Unwritable):
        return None
    return not (isinstance(outcome, Deferred) and outcome.code in (None, 421))


def _defer(attempt: Attempt, retry: RetryPolicy, chance: Callable[[], float]) -> Attempt:
    decision = decide_retry(
        attempts=attempt.letter.attempts + 1,
        first_attempt_at=attempt.letter.first_attempt_at or attempt.at,
        now=attempt.at,
        chance=chance,
        policy=retry,
    )
    if isinstance(decision, GiveUp):
        return replace(attempt, smtp_text=f"{decision.reason}; last: {attempt.smtp_text}")
    return replace(attempt, state=LetterState.DEFERRED, due_at=decision.at)
