"""Renew a reset that ran out before its letter was sent, as in a long outage of the mail server.

Its link is never sent dead: the letter gets one that lives. Sending is not done here.
"""

from datetime import datetime, timedelta
from typing import Final

from authreset.flows.mail_links import LONGEST_RESET, ProcessingRules, new_reset
from authreset.rules.outcomes import ResetEnd
from authreset.store.database import Transaction
from authreset.store.letters import LeasedLetter, change_reset
from authreset.store.resets import Reset, add_resets, end_resets, find_unended_resets
from authreset.store.users import lock_users

_LONGEST_RESERVE: Final = LONGEST_RESET / 2


def has_run_out(reset: Reset, now: datetime) -> bool:
    """Tell whether nobody ended the reset, yet its link is over, or would be before its time.

    A link that nobody got yet is to live its whole lifetime, or half a day if that is shorter.
    """
    if reset.ended_at is not None:
        return False
    if reset.expires_at is not None:
        return not reset.is_live(now)
    reserve = min(timedelta(seconds=reset.lifetime_seconds), _LONGEST_RESERVE)
    return now + reserve > reset.deadline_at


async def renew_reset(
    tx: Transaction, rules: ProcessingRules, letter: LeasedLetter, old: Reset, now: datetime
) -> Reset | None:
    """Let a letter carry a fresh reset; None when the user has another one or none meanwhile."""
    await lock_users(tx, [old.user_id])
    if (await find_unended_resets(tx, [old.user_id])).get(old.user_id) != old:
        return None
    reason = ResetEnd.UNDELIVERED if old.expires_at is None else ResetEnd.EXPIRED
    await end_resets(tx, [old.user_id], reason, now)
    lifetime = timedelta(seconds=old.lifetime_seconds)
    fresh = new_reset(rules, old.user_id, old.entity_id, lifetime, now)
    await add_resets(tx, [fresh])
    await change_reset(tx, letter.id, fresh.id)
    return fresh
