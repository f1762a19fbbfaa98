"""What carries a letter to its recipient: the promise every carrier keeps, and the local mailbox.

SMTP lives in `smtp`. When to try again is never decided here.
"""

from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Accepted:
    """The mail server has taken the mail; `queue_id` names it in that server's log, if told."""

    code: int
    text: str
    queue_id: str | None


@dataclass(frozen=True, slots=True)
class Deferred:
    """A temporary fault, or a fault of our own settings: trying again later may succeed.

    `code` is None where no SMTP reply was the cause. The mail may have arrived all the same, if
    the connection was lost before the last reply.
    """

    code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A permanent fault: trying this mail again is in vain."""

    code: int
    reason: str


Delivery = Accepted | Deferred | Refused


class Carrier(Protocol):
    """Takes one mail at a time and says what became of it.

    `text` and `reason` have at most 200 printable characters; they hold no link of the mail and
    no full address.
    """

    async def send(self, message: EmailMessage, recipient: str) -> Delivery:
        """Hand the mail over for `recipient`, whatever its headers say.

        Every fault of the network or the server is a value, never an exception.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection. No mail is sent afterwards."""
        ...


class LocalMailbox:
    """Accepts every mail and keeps none: its letters are read on a page that renders them anew."""

    async def send(self, message: EmailMessage, recipient: str) -> Delivery:
        """Accept the mail at once."""
        return Accepted(250, "local mailbox", None)

    async def close(self) -> None:
        """Nothing is held, so nothing is let go."""


class NoMailServer:
    """Carries nothing: letters wait until a mail server is configured."""

    async def send(self, message: EmailMessage, recipient: str) -> Delivery:
        """Put every mail off."""
        return Deferred(None, "no mail server is configured: set AUTHRESET_SMTP_URL")

    async def close(self) -> None:
        """Hold nothing open."""
