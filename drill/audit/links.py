"""Links: a user has one live link at most, and each mail carries it."""

import hashlib
from collections.abc import Iterator
from itertools import pairwise

from drill.audit.evidence import Index, Violation, grouped
from drill.ledgers import ResetRow, Taken


def check_links(index: Index) -> Iterator[Violation]:
    """Find users with two live links, and mails with another link than the live one.

    Nobody uses a link in a drill, so none may end before its time either.
    """
    for one in index.evidence.resets:
        if one.ended_at is not None and one.ended_at < min(one.deadline_at, one.expires_at or 1e99):
            yield Violation("voided link", f"user {one.user_id}, who did not use it", one.ended_at)
    for user_id, owned in grouped(index.evidence.resets, lambda one: one.user_id).items():
        in_order = sorted(owned, key=lambda one: one.created_at)
        for earlier, later in pairwise(in_order):
            if later.created_at < earlier.over_at:
                yield Violation("two live links", f"user {user_id}", later.created_at)
    by_digest = {one.token_digest: one for one in index.evidence.resets}
    for mail in index.evidence.taken:
        fault = _fault(index, mail, by_digest.get(hashlib.sha256(mail.token.encode()).digest()))
        if fault:
            yield Violation("wrong link", f"{mail.queue_id}: {fault}", mail.at)
    yield from _changed_links(index)


def _fault(index: Index, mail: Taken, reset: ResetRow | None) -> str:
    if reset is None:
        return "its link is no reset's"
    if index.evidence.users.get(mail.recipient) != reset.user_id:
        return "its link is another user's"
    return "" if mail.at <= reset.over_at + index.evidence.skew else "its link is over"


def _changed_links(index: Index) -> Iterator[Violation]:
    """A repeat while the reset lives carries the same link."""
    resets = {one.token_digest: one for one in index.evidence.resets}
    for recipient, mails in grouped(index.evidence.taken, lambda one: one.recipient).items():
        for first, second in pairwise(mails):
            reset = resets.get(hashlib.sha256(first.token.encode()).digest())
            if reset and second.token != first.token and second.at < reset.over_at:
                text = f"user {index.evidence.users.get(recipient)} got another while one lived"
                yield Violation("two live links", text, second.at)
