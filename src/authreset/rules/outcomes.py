"""The words in which the domain's states are stored and told. No behaviour lives here."""

from enum import IntEnum, StrEnum


class EntityType(IntEnum):
    """The types of a node in the tenant tree, as the contract numbers them."""

    ORGANIZATION = 0
    PAYPOINT = 2


class TokenMode(StrEnum):
    """Where an API token may be used: a public one starts resets from front ends, no more."""

    PRIVATE = "private"
    PUBLIC = "public"


class RequestOutcome(StrEnum):
    """What the worker made of a request. Read by operators, never told to the caller."""

    MAILED = "mailed"
    REPEATED = "repeated"
    NO_SUBJECT = "no_subject"
    NO_USER = "no_user"
    INACTIVE = "inactive"
    OUT_OF_SCOPE = "out_of_scope"
    LIMITED = "limited"


class LetterState(StrEnum):
    """Where a letter stands on its way to the mail server."""

    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    FAILED = "failed"


WAITING_STATES = (LetterState.QUEUED, LetterState.SENDING, LetterState.DEFERRED)


class Template(StrEnum):
    """Which letter is written."""

    RESET = "reset"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 -- a word, no password


class ResetEnd(StrEnum):
    """Why a reset is over."""

    USED = "used"
    EXPIRED = "expired"
    UNDELIVERED = "undelivered"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 -- a word, no password
    EMAIL_CHANGED = "email_changed"
    STATUS_CHANGED = "status_changed"
