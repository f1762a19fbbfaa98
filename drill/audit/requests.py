"""Acknowledged requests: each is there, settled, and mailed if it is about an active user."""

from collections.abc import Iterator

from drill.audit.evidence import Index, Violation, row_id
from drill.ledgers import LetterRow, Person, RequestRow, person_of, refusal_of

HOUR = 3600.0
LONGEST_PAUSE = 20.0
"""A worker that was paused with a batch in hand settles it with the instant of its beginning."""

QUIET_OUTCOMES = {Person.ASLEEP: "inactive", Person.NOBODY: "no_user"}


def check_requests(index: Index) -> Iterator[Violation]:
    """Find requests that were lost, made up, left, not mailed, or mailed to the wrong person."""
    yield from _lost(index)
    yield from _made_up(index)
    for row in index.evidence.requests:
        check = _check_active if person_of(row.email).is_active else _check_quiet
        yield from check(index, row)


def _lost(index: Index) -> Iterator[Violation]:
    for call in index.evidence.calls:
        if not call.is_acknowledged or call.request_id is None:
            continue
        row = index.requests.get(row_id(call.request_id))
        if row is None:
            yield Violation("lost request", f"{call.request_id} got a 200", call.answered_at)
        elif row.email != call.email:
            yield Violation("wrong request", f"{call.request_id} names another", call.answered_at)


def _made_up(index: Index) -> Iterator[Violation]:
    """Rows that no call accounts for. A call that was cut may have left one behind."""
    for email, rows in index.requests_by_email.items():
        calls = index.calls_by_email.get(email, [])
        told = {row_id(one.request_id) for one in calls if one.request_id}
        cut = sum(one.status is None and one.was_sent for one in calls)
        if len([one for one in rows if one.id not in told]) > cut:
            yield Violation("unasked request", f"more rows than calls, {rows[-1].id}")


def _check_active(index: Index, row: RequestRow) -> Iterator[Violation]:
    if row.outcome is None:
        yield Violation("unsettled request", row.id, row.received_at)
    elif row.outcome == "limited":
        if not _is_limit_founded(index, row):
            yield Violation("unfounded limit", f"{row.id}: no mail before it", row.received_at)
    elif row.outcome not in ("mailed", "repeated"):
        yield Violation("not mailed", f"{row.id} was settled as {row.outcome}", row.received_at)
    else:
        yield from _check_letter(index, row)


def _check_letter(index: Index, row: RequestRow) -> Iterator[Violation]:
    letter = index.letters.get(row.letter_id or "")
    if letter is None:
        yield Violation("not mailed", f"{row.id} has no letter", row.received_at)
    elif letter.user_id != index.evidence.users.get(row.email):
        yield Violation("wrong person", f"{row.id} has another's letter", row.received_at)
    elif not _is_delivered(index, letter):
        text = f"{row.id}: its letter is {letter.state} ({letter.smtp_code})"
        yield Violation("not mailed", text, row.received_at)


def _is_delivered(index: Index, letter: LetterRow) -> bool:
    """Tell whether the mail server's own list has the letter, or refused it for good."""
    refusal = refusal_of(letter.recipient)
    if refusal is not None:
        return letter.state == "failed" and letter.smtp_code == refusal
    taken = index.taken_by_letter.get(letter.id, [])
    return letter.state == "accepted" and letter.queue_id in {one.queue_id for one in taken}


def _is_limit_founded(index: Index, row: RequestRow) -> bool:
    """Tell whether a mailing, which is checked by itself, explains that another was left out."""
    assert row.settled_at is not None
    ages = [
        row.settled_at - other.settled_at
        for other in index.requests_by_email[row.email]
        if other.outcome in ("mailed", "repeated") and other.settled_at is not None
    ]
    rule, slack = index.evidence.rule, index.evidence.skew
    recent = [age for age in ages if age > -LONGEST_PAUSE - slack]
    spaced = any(age <= rule.spacing + slack for age in recent)
    return spaced or sum(age <= HOUR + slack for age in recent) >= rule.per_hour


def _check_quiet(index: Index, row: RequestRow) -> Iterator[Violation]:
    expected = QUIET_OUTCOMES[person_of(row.email)]
    if row.outcome is None:
        yield Violation("unsettled request", row.id, row.received_at)
    elif row.outcome not in (expected, "limited") or row.letter_id is not None:
        text = f"{row.id} is {row.outcome}, not {expected}"
        yield Violation("wrong outcome", text, row.received_at)
