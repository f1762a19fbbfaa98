"""The carrier that hands mails to a mail server over SMTP (RFC 5321).

A fault of the server or the network comes back as a value. When to try again, and what a mail
says, never live here.
"""

import asyncio
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import cast

from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectResponseError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from authreset.mail.addresses import wire_address
from authreset.mail.carriers import Deferred, Delivery, Refused
from authreset.mail.smtp_pool import IDLE_SECONDS, LETTERS_PER_CONNECTION, Client, ConnectionPool
from authreset.mail.smtp_replies import acceptance, clean_reason, judge
from authreset.mail.smtp_settings import Encryption, SmtpSettings, SmtpUrlError, parse_smtp_url

__all__ = ["Encryption", "SmtpCarrier", "SmtpSettings", "SmtpUrlError", "parse_smtp_url"]


class SmtpCarrier:
    """Sends through one mail server, over a bounded pool of reused connections.

    Delivery is at least once: a connection lost before the last reply is Deferred, and the mail
    may be taken twice, with the same Message-ID. Refusals of our greeting or login are Deferred
    too, since an operator can mend them. Raises OSError if the settings' `ca_file` cannot be read.
    """

    def __init__(
        self,
        settings: SmtpSettings,
        *,
        idle_seconds: float = IDLE_SECONDS,
        letters_per_connection: int = LETTERS_PER_CONNECTION,
    ) -> None:
        self._settings = settings
        self._pool = ConnectionPool(
            settings,
            idle_seconds=idle_seconds,
            letters_per_connection=letters_per_connection,
        )

    async def send(self, message: EmailMessage, recipient: str) -> Delivery:
        """Hand the mail over. Answers within `settings.longest_send` seconds, waiting included."""
        try:
            address = wire_address(recipient)
        except ValueError as error:
            return Refused(553, str(error))
        try:
            async with asyncio.timeout(self._settings.longest_send):
                async with self._pool.connection() as client:
                    return await _hand_over(client, message, address)
        except (SMTPException, OSError) as fault:
            return Deferred(_code(fault), clean_reason(_describe(fault), message))

    async def close(self) -> None:
        """Close the idle connections politely, within two seconds."""
        await self._pool.close()


async def _hand_over(client: Client, message: EmailMessage, recipient: str) -> Delivery:
    utf8 = not recipient.isascii()
    if utf8 and not client.supports_extension("smtputf8"):
        return Refused(553, "5.6.7 the address needs SMTPUTF8, which the mail server lacks")
    sender = message["From"].addresses[0].addr_spec
    options = ["SMTPUTF8", "BODY=8BITMIME"] if utf8 else []  # RFC 6531 section 3.1
    encoding = "utf-8" if utf8 else "ascii"
    try:
        await client.mail(sender, options=options, encoding=encoding)
        await client.rcpt(recipient, encoding=encoding)
        reply = await client.data(_octets(message, utf8))
    except SMTPSenderRefused as refusal:
        # Our sender is a matter of our settings: whoever mends them must not have lost a letter.
        return Deferred(refusal.code, clean_reason(refusal.message, message))
    except (SMTPRecipientRefused, SMTPDataError) as refusal:
        return judge(refusal.code, clean_reason(refusal.message, message))
    return acceptance(reply.code, reply.message, message)


def _octets(message: EmailMessage, utf8: bool) -> bytes:
    policy = cast("EmailPolicy", message.policy)
    return message.as_bytes(policy=policy.clone(utf8=utf8, cte_type="8bit" if utf8 else "7bit"))


def _code(fault: SMTPException | OSError) -> int | None:
    code = fault.code if isinstance(fault, SMTPResponseException) else None
    return code if code is not None and 200 <= code <= 599 else None


def _describe(fault: SMTPException | OSError) -> str:
    match fault:
        case SMTPAuthenticationError():
            return f"login refused: {fault.message}"
        case SMTPConnectResponseError():
            return f"greeting refused: {fault.message}"
        case SMTPException():
            return fault.message if isinstance(fault.message, str) else "refused"
        case TimeoutError():
            return "the mail server took too long"
        case _:
            return str(fault) or type(fault).__name__
