"""What the drill writes down: calls, mails that were taken, rows. Judging them is `audit`'s work.

Instants are epoch seconds of this machine's clock, whoever noted them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Person(StrEnum):
    """What kind of address a call names."""

    MEMBER = "member"  # an active user
    REFUSED = "refused"  # an active user whose mailbox the mail server refuses for good
    ASLEEP = "asleep"  # a user who is not active
    NOBODY = "nobody"  # no user at all

    @property
    def is_active(self) -> bool:
        """Tell whether a mail is owed."""
        return self in (Person.MEMBER, Person.REFUSED)


REFUSALS = (550, 554)
DOMAIN = "drill.example"


def address(person: Person, number: int) -> str:
    """Return the address of a person; those that are refused carry the code of their refusal."""
    code = str(REFUSALS[number % len(REFUSALS)]) if person is Person.REFUSED else ""
    return f"{person.value}{code}-{number}@{DOMAIN}"


def person_of(email: str) -> Person:
    """Return what kind an address is."""
    return Person(email.partition("-")[0].rstrip("0123456789"))


def refusal_of(email: str) -> int | None:
    """Return the code with which the mail server refuses an address for good."""
    name = email.partition("-")[0]
    return int(name[-3:]) if name.startswith(Person.REFUSED.value) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call and what the caller saw of it. `status` None: no answer, and none will come."""

    email: str
    serve: str
    sent_at: float
    seconds: float
    status: int | None
    request_id: str | None = None
    retry_after: int | None = None
    was_sent: bool = True  # False: no connection was to be had, so nothing can have arrived
    is_starting: bool = False  # the program that it was sent to was not ready yet

    @property
    def is_acknowledged(self) -> bool:
        """Tell whether the promise was made."""
        return self.status == 200

    @property
    def answered_at(self) -> float:
        """Return when the answer, or the end of the connection, was seen."""
        return self.sent_at + self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A mail that the mail server took, whether or not its reply got through."""

    at: float
    message_id: str  # the part before the @, which is the letter's id
    recipient: str
    token: str = field(repr=False)
    queue_id: str
    worker: str  # as the worker named itself in EHLO


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """A row of `requests`."""

    id: str
    email: str
    received_at: float
    outcome: str | None
    settled_at: float | None
    letter_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterRow:
    """A row of `letters`; `id` as 32 hexadecimal digits, as in a Message-ID."""

    id: str
    user_id: int
    reset_id: str | None
    recipient: str
    state: str
    created_at: float
    smtp_code: int | None
    queue_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetRow:
    """A row of `resets`. It lives from `created_at` to the earliest of the other instants."""

    id: str
    user_id: int
    token_digest: bytes = field(repr=False)
    created_at: float
    ended_at: float | None
    expires_at: float | None
    deadline_at: float

    @property
    def over_at(self) -> float:
        """Return when its link stopped, or stops, working."""
        return min(x for x in (self.ended_at, self.expires_at, self.deadline_at) if x is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of a letter's row, as a trigger in the database saw it.

    `actor`: the database role that made it, which names the worker; empty on SQLite.
    """

    at: float
    letter_id: str
    actor: str
    lease_before: int
    lease_after: int
    state_before: str
    state_after: str
    queue_id: str | None

    @property
    def takes_lease(self) -> bool:
        """Tell whether somebody took the letter by this."""
        return self.lease_after != self.lease_before


@dataclass(frozen=True, slots=True)
class MailboxRule:
    """The mailbox limits that the product ran with."""

    per_hour: int
    spacing: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that the audit looks at. `users`: user ids by address.

    `skew`: by how many seconds a worker's clock was made to be wrong at most.
    """

    calls: list[Call]
    taken: list[Taken]
    requests: list[RequestRow]
    letters: list[LetterRow]
    resets: list[ResetRow]
    changes: list[Change]
    users: Mapping[str, int]
    rule: MailboxRule
    skew: float = 0.0
