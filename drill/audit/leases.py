"""Who recorded a letter: whoever held its lease, and nobody after it was finished.

A lease's number alone would not tell: a worker whose lease was taken over could write under the
new number if the fence were missing. So it is asked who wrote, which mail server connection the
acceptance came from, and when that was.
"""

from collections.abc import Iterator

from drill.audit.evidence import Index, Violation, grouped
from drill.ledgers import Change

FINISHED = ("accepted", "failed")
CLOCK_GRAIN = 0.01  # SQLite tells time in milliseconds


def check_leases(index: Index) -> Iterator[Violation]:
    """Find what a stale holder wrote, and changes of finished letters."""
    for changes in grouped(index.evidence.changes, lambda one: one.letter_id).values():
        taken_over: Change | None = None
        for change in changes:
            fault = _fault(index, change, taken_over)
            if fault:
                yield Violation("stale write", f"letter {change.letter_id}: {fault}", change.at)
            if change.takes_lease:
                taken_over = change


def _fault(index: Index, change: Change, lease: Change | None) -> str:
    if change.state_before in FINISHED:
        return f"{change.state_before} became {change.state_after}"
    if change.takes_lease:
        in_turn = change.lease_after == change.lease_before + 1
        return "" if in_turn else f"lease {change.lease_before} became {change.lease_after}"
    if change.state_before != "sending" or change.state_after == "sending":
        return ""
    if lease is None:
        return f"{change.state_after} without a lease"
    if change.actor != lease.actor:
        return f"{change.state_after} by {change.actor}, while {lease.actor} held it"
    return _fault_of_acceptance(index, change, lease) if change.state_after == "accepted" else ""


def _fault_of_acceptance(index: Index, change: Change, lease: Change) -> str:
    mail = index.taken_by_queue_id.get(change.queue_id or "")
    if mail is None or mail.message_id != change.letter_id:
        return "accepted by no mail server"
    if mail.at < lease.at - CLOCK_GRAIN:
        return "an acceptance from before the lease was recorded under it"
    if change.actor and mail.worker.replace("-", "_") != change.actor:
        return f"{change.actor} recorded what {mail.worker} sent"
    return ""
