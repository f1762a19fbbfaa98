"""The words for what became of a request, its letter and its link. No order and no decision."""

from collections.abc import Mapping
from typing import Any

from authreset.cli.answers import iso
from authreset.flows.trace_request import TracedRequest
from authreset.rules.outcomes import RequestOutcome, ResetEnd
from authreset.store.resets import Reset


def received(traced: TracedRequest) -> str:
    """Say where a request came from, by which token, and what about."""
    row, token = traced.request, traced.token
    origin = f" from {row['client_address']}" if row["client_address"] else ""
    asked = f"about {row['email']}" if row["email"] else "naming no address"
    if row["source"] == "page":
        way = "through the hosted page"
    elif token is not None:
        way = (
            f"with API token {token.id} ({token.mode} {token.kind.name.lower()} token of"
            f" {token.entity.entry})"
        )
    elif row["token_id"] is not None:
        way = f"with API token {row['token_id']}, which is gone"
    else:
        way = f"with the session of user {row['user_id']}"
    return f"Received{origin} {way}, for entry {row['entry'] or '(gone)'}, {asked}."


def live(reset: Reset) -> str:
    """Say how long a live link works."""
    if reset.expires_at is None:
        return "The link is live; its lifetime starts when the mail server takes the letter."
    return (
        f"The link is live until {iso(reset.expires_at)}. A repeated mail renews that, up to"
        f" {iso(reset.deadline_at)}. Whether it was opened is not recorded."
    )


def reply(letter: Mapping[str, Any]) -> str:
    """Say what the mail server answered to the last attempt."""
    text = (letter["smtp_text"] or "no reason was kept").rstrip(".")
    if letter["smtp_code"] is None:
        return f"no answer of a mail server ({text})."
    queue_id = f", queue id {letter['queue_id']}" if letter["queue_id"] else ""
    return f"SMTP {letter['smtp_code']} {text}{queue_id}."


OUTCOMES: Mapping[RequestOutcome, tuple[str, str | None]] = {
    RequestOutcome.MAILED: ("A user is meant: a reset was made and its letter queued.", None),
    RequestOutcome.REPEATED: (
        "The user had a live link already: the same link is sent again.",
        None,
    ),
    RequestOutcome.NO_SUBJECT: (
        "It names nobody, so nobody is mailed.",
        "Send the e-mail address, or call with the user's session token.",
    ),
    RequestOutcome.NO_USER: (
        "No user of this organization has the address.",
        "Check its spelling and the token's organization; `authreset user add` adds a user.",
    ),
    RequestOutcome.INACTIVE: (
        "The user is neither active nor locked, so no mail is sent.",
        "`authreset user set-status USER active`, if that is right, and ask again.",
    ),
    RequestOutcome.OUT_OF_SCOPE: (
        "The user holds no role at, above or below the entry that was named.",
        "Name an entry where the user holds a role, or none at all.",
    ),
    RequestOutcome.LIMITED: ("The mailbox's limit was met.", None),
}

ENDS: Mapping[str, str] = {
    ResetEnd.USED: "The link was used: a new password was set and every session ended.",
    ResetEnd.EXPIRED: "The link's time ran out unused.",
    ResetEnd.UNDELIVERED: "The link was ended because its mail could not be delivered.",
    ResetEnd.PASSWORD_CHANGED: "The link was ended by a change of the password on another way.",
    ResetEnd.EMAIL_CHANGED: "The link was ended by a change of the user's address.",
    ResetEnd.STATUS_CHANGED: "The link was ended by a change of the user's status.",
}
