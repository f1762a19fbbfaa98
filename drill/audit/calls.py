"""What callers got: the answers that they are promised, in time."""

from collections.abc import Iterator

from drill.audit.evidence import Index, Violation
from drill.callers import GIVE_UP_SECONDS
from drill.ledgers import Call

ANSWER_SECONDS = 2.0
"""Within this time a call is recorded, or told that it could not be."""


def check_calls(index: Index) -> Iterator[Violation]:
    """Find answers that are wrong or late, and callers who were left hanging."""
    for call in index.evidence.calls:
        for kind, detail in _faults(call):
            text = f"{call.serve} answered {call.status} after {call.seconds:.2f} s: {detail}"
            yield Violation(kind, text, call.sent_at)


def _faults(call: Call) -> Iterator[tuple[str, str]]:
    if call.status not in (200, 503, None):
        yield "wrong answer", "neither 200 nor 503"
    if call.status is not None and call.request_id is None:
        yield "wrong answer", "no X-Request-Id"
    if call.status == 503 and call.retry_after is None:
        yield "wrong answer", "no Retry-After"
    # Who calls before a program is ready waits for it to be; that is a start and no outage.
    if call.is_starting:
        return
    if call.status is not None and call.seconds > ANSWER_SECONDS:
        yield "late answer", f"more than {ANSWER_SECONDS:g} s"
    if call.status is None and call.seconds >= GIVE_UP_SECONDS:
        yield "no answer", "the caller gave up"
