"""What is looked at before the service starts, so that it does not start in vain."""

import sys

from authreset.cli.answers import Answer, Outcome
from authreset.cli.opening import open_all
from authreset.config import ConfigError, Settings
from authreset.mail.smtp_settings import SmtpUrlError, parse_smtp_url
from authreset.store.database import StoreUnavailable


async def look(settings: Settings) -> Outcome:
    """Open everything once. An absent PostgreSQL is no reason not to start: it may come back."""
    if settings.smtp_url:
        try:
            parse_smtp_url(settings.smtp_url)
        except SmtpUrlError as fault:
            raise ConfigError(f"AUTHRESET_SMTP_URL: {fault}") from None
    try:
        async with open_all(settings):
            return Answer({})
    except StoreUnavailable as fault:
        if settings.is_embedded:
            raise
        sys.stderr.write(
            f"authreset: the database cannot be reached ({fault}); until it can, requests are"
            " answered with 503\n"
        )
        return Answer({})
