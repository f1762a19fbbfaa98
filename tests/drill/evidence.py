"""A small world in which every promise was kept, for tests to doctor."""

import hashlib
from dataclasses import replace
from typing import Any

from drill.ledgers import (
    Call,
    Change,
    Evidence,
    LetterRow,
    MailboxRule,
    Person,
    RequestRow,
    ResetRow,
    Taken,
    address,
)

NOW = 1_000_000.0
DAY = 86400.0
MEMBER = address(Person.MEMBER, 1)
OTHER = address(Person.MEMBER, 2)
REFUSED = address(Person.REFUSED, 1)  # with 554
ASLEEP = address(Person.ASLEEP, 1)
NOBODY = address(Person.NOBODY, 1)
USERS = {MEMBER: 1, OTHER: 2, REFUSED: 3, ASLEEP: 4}


def request_id(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012d}"


def row_id(number: int) -> str:
    return request_id(number).replace("-", "")


def call(number: int, email: str, at: float, **changes: Any) -> Call:
    made = Call(
        email=email,
        serve="serve-1",
        sent_at=NOW + at,
        seconds=0.01,
        status=200,
        request_id=request_id(number),
    )
    return replace(made, **changes)


def row(number: int, email: str, at: float, outcome: str | None, **changes: Any) -> RequestRow:
    made = RequestRow(
        id=row_id(number),
        email=email,
        received_at=NOW + at,
        outcome=outcome,
        settled_at=NOW + at + 0.1,
        letter_id=None,
    )
    return replace(made, **changes)


def letter(name: str, email: str, at: float, **changes: Any) -> LetterRow:
    made = LetterRow(
        id=name,
        user_id=USERS[email],
        reset_id=f"reset of {email}",
        recipient=email,
        state="accepted",
        created_at=NOW + at,
        smtp_code=250,
        queue_id=f"Q-{name}",
    )
    return replace(made, **changes)


def token(email: str) -> str:
    return f"token of {email}"


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def reset(email: str, **changes: Any) -> ResetRow:
    made = ResetRow(
        id=f"reset of {email}",
        user_id=USERS[email],
        token_digest=digest(token(email)),
        created_at=NOW,
        ended_at=None,
        expires_at=NOW + 3600,
        deadline_at=NOW + DAY,
    )
    return replace(made, **changes)


def taken(name: str, email: str, at: float, **changes: Any) -> Taken:
    made = Taken(
        at=NOW + at,
        message_id=name,
        recipient=email,
        token=token(email),
        queue_id=f"Q-{name}",
        worker="worker-1",
    )
    return replace(made, **changes)


def change(name: str, at: float, before: str, after: str, **changes: Any) -> Change:
    made = Change(
        at=NOW + at,
        letter_id=name,
        actor="worker_1",
        lease_before=1,
        lease_after=1,
        state_before=before,
        state_after=after,
        queue_id=None,
    )
    return replace(made, **changes)


def sending(name: str, at: float) -> list[Change]:
    """Return how a letter was leased and then accepted."""
    return [
        change(name, at, "queued", "sending", lease_before=0),
        change(name, at + 0.1, "sending", "accepted", queue_id=f"Q-{name}"),
    ]


def kept_promises() -> Evidence:
    """Return a world with a mail, a repeat, a limit, a refusal, and two who get nothing."""
    return Evidence(
        calls=[
            call(1, MEMBER, 0),
            call(2, MEMBER, 2),
            call(3, MEMBER, 60),
            call(4, REFUSED, 5),
            call(5, ASLEEP, 6),
            call(6, NOBODY, 7),
            call(7, OTHER, 8, status=503, retry_after=2, seconds=1.6),
            call(8, OTHER, 9, status=None, request_id=None),
        ],
        requests=[
            row(1, MEMBER, 0, "mailed", letter_id="first"),
            row(2, MEMBER, 2, "limited"),
            row(3, MEMBER, 60, "repeated", letter_id="second"),
            row(4, REFUSED, 5, "mailed", letter_id="refused"),
            row(5, ASLEEP, 6, "inactive"),
            row(6, NOBODY, 7, "no_user"),
            row(99, OTHER, 9, "mailed", letter_id="unheard"),  # the call that was cut
        ],
        letters=[
            letter("first", MEMBER, 0.1),
            letter("second", MEMBER, 60.1),
            letter("refused", REFUSED, 5.1, state="failed", smtp_code=554, queue_id=None),
            letter("unheard", OTHER, 9.1),
        ],
        resets=[reset(MEMBER), reset(REFUSED), reset(OTHER)],
        taken=[
            taken("first", MEMBER, 0.25),
            taken("second", MEMBER, 60.25),
            taken("unheard", OTHER, 9.25),
        ],
        changes=[
            *sending("first", 0.2),
            *sending("second", 60.2),
            change("refused", 5.2, "queued", "sending", lease_before=0),
            change("refused", 5.3, "sending", "failed"),
            *sending("unheard", 9.2),
        ],
        users=USERS,
        rule=MailboxRule(per_hour=5, spacing=5),
    )
