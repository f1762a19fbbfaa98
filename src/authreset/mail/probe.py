"""Tries the mail server without sending anything: connect, encrypt, log in, say goodbye."""

import ssl
import time
from dataclasses import dataclass, replace

from aiosmtplib import SMTPAuthenticationError, SMTPException, SMTPResponseException

from authreset.mail.smtp_pool import Client, ConnectionPool
from authreset.mail.smtp_settings import SmtpSettings

PROBE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class SmtpReached:
    """The server let us in. `tls` names the protocol's version, None when nothing is encrypted."""

    server: str
    tls: str | None
    is_logged_in: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class SmtpUnreached:
    """The server cannot be used, and why; quotes no credentials."""

    server: str
    reason: str


async def probe_smtp(settings: SmtpSettings) -> SmtpReached | SmtpUnreached:
    """Open one connection as a letter would, and close it. Each step has at most ten seconds."""
    server = f"{settings.host}:{settings.port}"
    patient = replace(settings, timeout=min(settings.timeout, PROBE_SECONDS), pool=1)
    started = time.monotonic()
    try:
        pool = ConnectionPool(patient, idle_seconds=1, letters_per_connection=1)
        async with pool.connection() as client:
            reached = SmtpReached(
                server,
                _tls_version(client),
                settings.username is not None,
                time.monotonic() - started,
            )
        await pool.close()
    except (SMTPException, OSError) as fault:
        return SmtpUnreached(server, _describe(fault))
    return reached


def _tls_version(client: Client) -> str | None:
    encrypted = client.transport and client.transport.get_extra_info("ssl_object")
    return encrypted.version() if isinstance(encrypted, ssl.SSLObject) else None


def _describe(fault: SMTPException | OSError) -> str:
    if isinstance(fault, SMTPAuthenticationError):
        return f"the login was refused: {fault.code}"
    if isinstance(fault, SMTPResponseException):
        return f"{fault.code} {fault.message}"[:200]
    if isinstance(fault, SMTPException):
        return str(fault.message)[:200]
    if isinstance(fault, TimeoutError):
        return f"no answer within {PROBE_SECONDS:g} s"
    return str(fault)[:200] or type(fault).__name__
