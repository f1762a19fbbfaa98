"""Compose a letter: derive its link and gather what it says. The only place where a link is built.

Links start with a configured base URL; nothing of any request reaches this file.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Protocol
from urllib.parse import quote
from uuid import UUID

from authreset.mail.letters import (
    DEFAULT_ACCENT,
    Brand,
    Envelope,
    Letter,
    PasswordChangedLetter,
    ResetLetter,
)
from authreset.rules.keyrings import KeyRing
from authreset.rules.outcomes import Template
from authreset.rules.tokens import derive_reset_token
from authreset.store.entities import EntityProfile
from authreset.store.resets import Reset


class StoredLetter(Protocol):
    """What must be known of a letter's row to compose it."""

    @property
    def id(self) -> UUID: ...  # noqa: D102 -- named as the column
    @property
    def template(self) -> Template: ...  # noqa: D102
    @property
    def recipient(self) -> str: ...  # noqa: D102
    @property
    def created_at(self) -> datetime: ...  # noqa: D102
    @property
    def client_address(self) -> str | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Composition:
    """What letters are composed with where a tenant sets nothing of its own."""

    keyring: KeyRing
    public_url: str
    mail_from: str


@dataclass(frozen=True, slots=True)
class Uncomposable:
    """The letter can never be sent; `reason` is for operators."""

    reason: str


def compose_letter(
    row: StoredLetter, profile: EntityProfile, reset: Reset | None, composition: Composition
) -> Envelope | Uncomposable:
    """Return the letter, ready to be rendered. The same rows give the same letter at any time."""
    base = profile.settings.public_url or composition.public_url
    letter = _write(row, profile, reset, composition.keyring, base)
    if isinstance(letter, Uncomposable):
        return letter
    name, address = parseaddr(composition.mail_from)
    return Envelope(
        letter_id=row.id,
        sender_name=profile.settings.sender_name or profile.settings.brand_name or name,
        sender_address=profile.settings.sender_address or address,
        recipient=row.recipient,
        brand=Brand(
            name=profile.brand_name,
            support_address=profile.settings.support_address,
            accent=profile.settings.accent or DEFAULT_ACCENT,
            locale=profile.settings.locale or "en",
        ),
        created_at=row.created_at,
        letter=letter,
    )


def _write(
    row: StoredLetter, profile: EntityProfile, reset: Reset | None, keyring: KeyRing, base: str
) -> Letter | Uncomposable:
    if row.template is Template.PASSWORD_CHANGED:
        return PasswordChangedLetter(
            changed_at=row.created_at,
            account_address=row.recipient,
            forgot_url=f"{base}/forgot?entry={quote(profile.ref.entry, safe='')}",
            client_address=row.client_address,
        )
    if reset is None:
        return Uncomposable("its reset is gone")
    key = keyring.find(reset.key_id)
    if key is None:
        return Uncomposable("the secret key that its link was made with is no longer configured")
    return ResetLetter(
        link=f"{base}/reset/{derive_reset_token(reset.id, key)}",
        lifetime=timedelta(seconds=reset.lifetime_seconds),
        requested_at=row.created_at,
        account_address=row.recipient,
        client_address=row.client_address,
    )
