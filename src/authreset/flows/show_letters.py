"""Show letters as they would be mailed, for the development mailbox. Nothing rendered is stored.

Each is composed anew from its row, the link's token derived as at sending.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from typing import Any
from uuid import UUID

from authreset.flows.compose_letter import Composition, Uncomposable, compose_letter
from authreset.mail.letters import Envelope
from authreset.mail.rendering import render
from authreset.rules.outcomes import Template
from authreset.store.database import Database, Transaction
from authreset.store.entities import load_profiles
from authreset.store.letters import NewLetter, find_letters, list_letters
from authreset.store.resets import find_resets

MOST_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLetter:
    """A letter and its parts as its recipient gets them; one that cannot be written says why."""

    id: UUID
    at: datetime
    recipient: str = field(repr=False)
    template: Template
    state: str
    subject: str
    text: str = field(repr=False)
    html: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowLetters:
    """Reads the outbox."""

    database: Database
    composition: Composition

    async def __call__(self) -> list[ShownLetter]:
        """Return the newest letters, the newest first. Raises StoreUnavailable."""
        async with self.database.read() as tx:
            return await self._show(tx, await list_letters(tx, limit=MOST_SHOWN))

    async def find(self, letter_id: UUID) -> ShownLetter | None:
        """Return one letter. Raises StoreUnavailable."""
        async with self.database.read() as tx:
            found = await find_letters(tx, [letter_id])
            shown = await self._show(tx, list(found.values()))
        return shown[0] if shown else None

    async def _show(self, tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> list[ShownLetter]:
        profiles = await load_profiles(tx, {row["entity_id"] for row in rows})
        resets = await find_resets(tx, _present(row["reset_id"] for row in rows))
        composed = (
            compose_letter(
                _new_letter(row),
                profiles[row["entity_id"]],
                resets.get(row["reset_id"]),
                self.composition,
            )
            for row in rows
        )
        return [_shown(row, letter) for row, letter in zip(rows, composed, strict=True)]


def _present(ids: Iterable[UUID | None]) -> set[UUID]:
    return {one for one in ids if one is not None}


def _new_letter(row: Mapping[str, Any]) -> NewLetter:
    return NewLetter(
        id=row["id"],
        template=Template(row["template"]),
        user_id=row["user_id"],
        root_id=row["root_id"],
        entity_id=row["entity_id"],
        recipient=row["recipient"],
        created_at=row["created_at"],
        reset_id=row["reset_id"],
        client_address=row["client_address"],
    )


def _shown(row: Mapping[str, Any], letter: Envelope | Uncomposable) -> ShownLetter:
    subject, text, html = _unwritten(letter) if isinstance(letter, Uncomposable) else _write(letter)
    return ShownLetter(
        id=row["id"],
        at=row["created_at"],
        recipient=row["recipient"],
        template=Template(row["template"]),
        state=row["state"],
        subject=subject,
        text=text,
        html=html,
    )


def _unwritten(letter: Uncomposable) -> tuple[str, str, None]:
    return "(no letter)", f"It cannot be written: {letter.reason}.", None


def _write(letter: Envelope) -> tuple[str, str, str]:
    mail = render(letter)
    return str(mail["Subject"]), _part(mail, "plain"), _part(mail, "html")


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    if part is None:
        raise LookupError(f"a letter without a {kind} part")
    return str(part.get_content())
