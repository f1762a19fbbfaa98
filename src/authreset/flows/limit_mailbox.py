"""Limit mails to one mailbox, silently. A part of processing requests.

Counted twice, under keyed digests. What is *asked*, by entry and address, before anyone is looked
up, and so alike for addresses that exist and those that do not. What is *sent*, by organisation and
mailbox, when a letter is made, so that other spellings of the address bring no more of them.
Neither lets a stranger use up what the owner gets: requests that send nothing count only against
the same entry and spelling, where they would send the owner nothing either.
"""

from collections.abc import Iterable
from datetime import datetime

from authreset.rules.addresses import address_key, mailbox_key
from authreset.rules.keyrings import KeyRing
from authreset.rules.limits import Limited, MailboxPolicy, MailLimit, decide_mailing
from authreset.store.database import Transaction
from authreset.store.mailboxes import lock_mailboxes, save_hits


def asked_digest(keyring: KeyRing, entity_id: int, address: str) -> bytes:
    """Return the digest under which requests for an address at an entry are counted."""
    return keyring.mailbox_digest(f"asked\0{entity_id}\0{address_key(address)}")


def sent_digest(keyring: KeyRing, root_id: int, recipient: str) -> bytes:
    """Return the digest under which an organisation's letters to a mailbox are counted."""
    return keyring.mailbox_digest(f"sent\0{root_id}\0{mailbox_key(recipient)}")


class MailboxCounts:
    """Counts that are held until the transaction ends; with no policy nothing is limited."""

    def __init__(self, policy: MailboxPolicy | None, now: datetime) -> None:
        self._policy = policy
        self._now = now
        self._hits: dict[bytes, list[float]] = {}

    async def hold(self, tx: Transaction, digests: Iterable[bytes]) -> None:
        """Hold the counts of these digests. Call it once, with all of them."""
        if self._policy is not None:
            self._hits = await lock_mailboxes(tx, digests, self._now)

    def take(self, digest: bytes) -> MailLimit | None:
        """Count one more; return the limit that was met, in which case it does not count."""
        if self._policy is None:
            return None
        decision = decide_mailing(self._hits[digest], self._now.timestamp(), self._policy)
        self._hits[digest] = list(decision.hits)
        return decision.reason if isinstance(decision, Limited) else None

    async def save(self, tx: Transaction) -> None:
        """Write the counts."""
        await save_hits(tx, self._hits, self._now)
