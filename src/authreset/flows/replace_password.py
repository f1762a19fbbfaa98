"""All that a new password entails, inside the caller's transaction. Who may is judged before."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from authreset.rules.outcomes import ResetEnd, Template
from authreset.rules.passwords import PasswordPolicy
from authreset.store.database import Transaction
from authreset.store.events import Event, add_events
from authreset.store.letters import NewLetter, add_letters
from authreset.store.resets import end_resets
from authreset.store.sessions import delete_user_sessions
from authreset.store.users import User, set_password


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPassword:
    """A password that was found fit, by which way it came, and from where."""

    password_hash: str = field(repr=False)
    policy: PasswordPolicy
    entity_id: int
    way: str
    reset_id: UUID | None
    client_address: str
    at: datetime


async def replace_password(
    tx: Transaction, user: User, new: NewPassword, new_id: Callable[[], UUID]
) -> None:
    """Set a held user's password, end sessions and resets, queue the notice, write the event."""
    await set_password(tx, user, new.password_hash, new.at, new.policy.remembered)
    sessions = await delete_user_sessions(tx, user.id)
    await end_resets(tx, [user.id], ResetEnd.PASSWORD_CHANGED, new.at)
    await add_letters(tx, [_notice(new_id(), user, new)])
    await add_events(tx, [_event(user, new, sessions)])


def _notice(letter_id: UUID, user: User, new: NewPassword) -> NewLetter:
    return NewLetter(
        id=letter_id,
        template=Template.PASSWORD_CHANGED,
        user_id=user.id,
        root_id=user.root_id,
        entity_id=new.entity_id,
        recipient=user.email,
        created_at=new.at,
        client_address=new.client_address,
    )


def _event(user: User, new: NewPassword, sessions: int) -> Event:
    return Event(
        at=new.at,
        kind="password.changed",
        actor=f"user:{user.id}",
        user_id=user.id,
        entity_id=new.entity_id,
        subject_id=None if new.reset_id is None else str(new.reset_id),
        client_address=new.client_address,
        details={
            "way": new.way,
            "sessions_ended": sessions,
            "status_before": int(user.status),
        },
    )
