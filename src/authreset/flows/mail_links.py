"""Mail links: one live reset a user, one letter on its way. A part of processing requests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from authreset.flows.limit_mailbox import MailboxCounts, sent_digest
from authreset.rules.clocks import Clock
from authreset.rules.keyrings import KeyRing
from authreset.rules.limits import MailboxPolicy
from authreset.rules.outcomes import RequestOutcome, ResetEnd, Template
from authreset.rules.tokens import derive_reset_token, digest_token
from authreset.store.database import Transaction
from authreset.store.entities import EntityProfile, load_profiles
from authreset.store.events import Event
from authreset.store.letters import NewLetter, find_waiting_letters
from authreset.store.requests import Settlement, WaitingRequest
from authreset.store.resets import Reset, end_resets, find_unended_resets
from authreset.store.users import User

LONGEST_RESET = timedelta(hours=24)
"""A reset is over this long after it was made, however often its link was sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingRules:
    """What processing decides by. `mailbox` None: no limits; `new_id` makes ids of rows."""

    keyring: KeyRing
    clock: Clock
    new_id: Callable[[], UUID]
    mailbox: MailboxPolicy | None
    link_lifetime: timedelta


@dataclass(slots=True)
class Batch:
    """What a batch of requests will write, collected while it is decided."""

    now: datetime
    settlements: list[Settlement] = field(default_factory=list)
    resets: list[Reset] = field(default_factory=list)
    letters: list[NewLetter] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    digests: dict[UUID, bytes] = field(default_factory=dict)

    def settle(
        self,
        request: WaitingRequest,
        outcome: RequestOutcome,
        reason: str,
        letter_id: UUID | None = None,
    ) -> None:
        """Note what became of a request."""
        self.settlements.append(
            Settlement(
                request_id=request.id,
                outcome=outcome,
                reason=reason,
                mailbox_digest=self.digests.get(request.id),
                letter_id=letter_id,
            )
        )


async def mail_links(
    tx: Transaction,
    rules: ProcessingRules,
    batch: Batch,
    mailed: Sequence[tuple[WaitingRequest, User]],
) -> None:
    """Give each user one live reset and one letter on its way, and settle their requests.

    The users must be held by `store.users.lock_users`.
    """
    if not mailed:
        return
    open_resets = await find_unended_resets(tx, {user.id for _, user in mailed})
    live = {id: one for id, one in open_resets.items() if _works(rules, one, batch.now)}
    await end_resets(tx, open_resets.keys() - live.keys(), ResetEnd.EXPIRED, batch.now)
    on_their_way = await find_waiting_letters(tx, [one.id for one in live.values()])
    profiles = await load_profiles(tx, {request.entity_id for request, _ in mailed})
    sent = {user.id: sent_digest(rules.keyring, user.root_id, user.email) for _, user in mailed}
    counts = MailboxCounts(rules.mailbox, batch.now)
    await counts.hold(tx, sent.values())
    for request, user in mailed:
        reset = live.get(user.id)
        if reset is not None and reset.id in on_their_way:
            reason, letter_id = "joined the letter on its way", on_their_way[reset.id]
            batch.settle(request, RequestOutcome.REPEATED, reason, letter_id)
            continue
        if limit := counts.take(sent[user.id]):
            batch.settle(request, RequestOutcome.LIMITED, f"mailbox limit: {limit}")
            continue
        outcome = RequestOutcome.MAILED if reset is None else RequestOutcome.REPEATED
        if reset is None:
            reset = _make_reset(rules, batch, user, profiles[request.entity_id])
            live[user.id] = reset
        on_their_way[reset.id] = _make_letter(rules, batch, request, user, reset)
        batch.settle(request, outcome, "letter queued", on_their_way[reset.id])
    await counts.save(tx)


def _works(rules: ProcessingRules, reset: Reset, now: datetime) -> bool:
    """Tell whether the link works: its key may have been retired, and its user would be stuck."""
    return reset.is_live(now) and rules.keyring.find(reset.key_id) is not None


def _make_reset(rules: ProcessingRules, batch: Batch, user: User, profile: EntityProfile) -> Reset:
    minutes = profile.settings.link_minutes
    lifetime = rules.link_lifetime if minutes is None else timedelta(minutes=minutes)
    reset = new_reset(rules, user.id, profile.ref.id, lifetime, batch.now)
    batch.resets.append(reset)
    batch.events.append(
        Event(
            at=batch.now,
            kind="reset.made",
            actor="worker",
            user_id=user.id,
            entity_id=profile.ref.id,
            subject_id=str(reset.id),
        )
    )
    return reset


def new_reset(
    rules: ProcessingRules, user_id: int, entity_id: int, lifetime: timedelta, now: datetime
) -> Reset:
    """Return a reset with the digest of its derived token; the token itself is let go at once."""
    id, key = rules.new_id(), rules.keyring.current
    return Reset(
        id=id,
        user_id=user_id,
        entity_id=entity_id,
        token_digest=digest_token(derive_reset_token(id, key)),
        key_id=key.id,
        lifetime_seconds=int(lifetime.total_seconds()),
        created_at=now,
        deadline_at=now + LONGEST_RESET,
    )


def _make_letter(
    rules: ProcessingRules, batch: Batch, request: WaitingRequest, user: User, reset: Reset
) -> UUID:
    letter = NewLetter(
        id=rules.new_id(),
        template=Template.RESET,
        user_id=user.id,
        root_id=user.root_id,
        entity_id=request.entity_id,
        recipient=user.email,
        created_at=batch.now,
        reset_id=reset.id,
        client_address=request.client_address,
    )
    batch.letters.append(letter)
    return letter.id
