"""What a letter says, as typed values: the facts, no wording and no markup.

How a letter looks lives in `rendering`; who gets one is decided elsewhere.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

DEFAULT_ACCENT = "#1f5fbf"

_HEX_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


def _require_web_link(link: str) -> None:
    """Refuse what could break out of its line or run as a script; never quotes the link."""
    visible = link.isascii() and link.isprintable() and not set(link) & set(" \"'<>\\^`{|}")
    parts = urlsplit(link) if visible else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected an absolute http or https link in ASCII")


@dataclass(frozen=True, slots=True)
class Brand:
    """How a letter presents itself: the name people know, a colour, where to ask for help.

    `accent` is a colour such as #1f5fbf, `locale` a language tag (RFC 5646). Raises ValueError
    for another form of either.
    """

    name: str
    support_address: str | None = None
    accent: str = DEFAULT_ACCENT
    locale: str = "en"

    def __post_init__(self) -> None:
        if not _HEX_COLOUR.fullmatch(self.accent):
            raise ValueError("expected an accent colour such as #1f5fbf")
        if not _LANGUAGE_TAG.fullmatch(self.locale):
            raise ValueError("expected a locale such as en or en-GB")


@dataclass(frozen=True, slots=True)
class ResetLetter:
    """The link with which a person sets a new password.

    `lifetime` counts from the moment the mail is accepted. Raises ValueError unless `link` is an
    absolute http or https link in ASCII.
    """

    link: str = field(repr=False)
    lifetime: timedelta
    requested_at: datetime
    account_address: str = field(repr=False)
    client_address: str | None = None

    def __post_init__(self) -> None:
        _require_web_link(self.link)


@dataclass(frozen=True, slots=True)
class PasswordChangedLetter:
    """The notice that a password was changed, and what to do if its owner did not do it.

    `forgot_url` is the public page on which a new link can be asked for.
    """

    changed_at: datetime
    account_address: str = field(repr=False)
    forgot_url: str | None = None
    client_address: str | None = None

    def __post_init__(self) -> None:
        if self.forgot_url is not None:
            _require_web_link(self.forgot_url)


Letter = ResetLetter | PasswordChangedLetter


@dataclass(frozen=True, slots=True)
class Envelope:
    """A letter with everything that a mail of it needs.

    The same `letter_id` and `created_at` yield the same mail, however often it is rendered.
    """

    letter_id: UUID
    sender_name: str
    sender_address: str
    recipient: str = field(repr=False)
    brand: Brand
    created_at: datetime
    letter: Letter
