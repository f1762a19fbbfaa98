"""How a mail server can behave, well or badly. Nothing is sent or kept here."""

from dataclasses import dataclass

from drill.ledgers import refusal_of

GREETING = b"220 mail.drill.example ESMTP\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One way to answer.

    `delay`: seconds between having taken a mail and saying so. `hang_at`: "greeting" or "data",
    after which nothing is said any more. `drop`: cut the connection in place of the reply to the
    mail, having "kept" it or "lost" it.
    """

    greeting: bytes = GREETING
    recipient: bytes | None = None
    data: bytes | None = None
    delay: float = 0.0
    hang_at: str = ""
    drop: str = ""

    @property
    def greets(self) -> bool:
        """Tell whether the greeting lets a client in."""
        return self.greeting.startswith(b"220")

    def refuses_recipient(self, email: str) -> bytes | None:
        """Return the reply to a recipient that is not taken."""
        if refusal_of(email) == 550:
            return b"550 5.1.1 no such mailbox\r\n"
        return self.recipient

    def refuses_mail(self, email: str) -> bytes | None:
        """Return the reply to a mail that is not taken."""
        if refusal_of(email) == 554:
            return b"554 5.7.1 refused by policy\r\n"
        return self.data


WELL = Behaviour()
SLOW = Behaviour(delay=0.3)
BAD_WAYS = {
    "421": Behaviour(greeting=b"421 4.3.2 the service is going down\r\n"),
    "450": Behaviour(recipient=b"450 4.2.1 try again later\r\n"),
    "451": Behaviour(data=b"451 4.3.0 an error on our side\r\n"),
    "552": Behaviour(recipient=b"552 5.2.2 mailbox full\r\n"),
    "554-greeting": Behaviour(greeting=b"554 5.3.2 no mail service here\r\n"),
    "hang-greeting": Behaviour(hang_at="greeting"),
    "hang-data": Behaviour(hang_at="data"),
    "drop-kept": Behaviour(drop="kept"),
    "drop-lost": Behaviour(drop="lost"),
}
