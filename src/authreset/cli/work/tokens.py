"""API tokens: issuing one, which shows it this once, listing and revoking them."""

import sys
from typing import Any

from authreset.cli.answers import Answer, Outcome, Refusal, iso
from authreset.cli.opening import Opened
from authreset.cli.tables import show_table
from authreset.cli.work.refusals import no_such_entry, to_refusal
from authreset.flows.issue_token import IssuedToken, NewApiToken, issue_token
from authreset.flows.revoke_token import Revoked, revoke_token
from authreset.rules.tokens import TOKEN_LENGTH, digest_token
from authreset.store.api_tokens import ApiTokenRow, find_api_token, list_api_tokens
from authreset.store.entities import find_entity


async def issue(opened: Opened, new: NewApiToken) -> Outcome:
    """Issue a token."""
    async with opened.database.begin() as tx:
        issued = await issue_token(
            tx,
            new,
            keyring=opened.keyring,
            random_bytes=opened.random_bytes,
            actor=opened.actor,
            now=opened.clock(),
        )
    if not isinstance(issued, IssuedToken):
        return to_refusal(issued)
    data = {
        "id": issued.id,
        "token": issued.token,
        "entry": issued.entity.entry,
        "type": issued.kind.name.lower(),
        "mode": issued.mode.value,
        "networks": list(issued.networks),
        "expires_at": issued.expires_at,
    }
    return Answer(
        data,
        (
            f"{issued.token}\n\n"
            f"Token {issued.id}, {issued.mode} {issued.kind.name.lower()} token of"
            f" {issued.entity.entry}, until {issued.expires_at:%Y-%m-%d}.\n"
            "It is shown this once: only its digest is kept. Send it as the header requestToken."
        ),
    )


async def list_of(opened: Opened, entry: str) -> Outcome:
    """List a node's own tokens."""
    async with opened.database.read() as tx:
        entity = await find_entity(tx, entry)
        if entity is None:
            return no_such_entry(entry)
        tokens = [
            _describe(one, opened)
            for one in await list_api_tokens(tx, entity.id)
            if one.permissions is None  # the others are OAuth clients', and live an hour
        ]
    rows = [
        [
            str(one["id"]),
            one["type"],
            one["mode"],
            one["state"],
            f"{one['expires_at']:%Y-%m-%d}",
            ", ".join(one["networks"]) or "anywhere",
        ]
        for one in tokens
    ]
    return Answer(
        {"entry": entry, "tokens": tokens},
        show=show_table(
            ["id", "type", "mode", "state", "until", "from"],
            rows,
            f"{entry} has no API token: `authreset token issue`.",
        ),
    )


def _describe(token: ApiTokenRow, opened: Opened) -> dict[str, Any]:
    is_over = token.expires_at <= opened.clock()
    state = "revoked" if token.revoked_at else "expired" if is_over else "active"
    return {
        "id": token.id,
        "type": token.kind.name.lower(),
        "mode": token.mode,
        "state": state,
        "networks": list(token.networks),
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
    }


async def revoke(opened: Opened, token_id: int | None) -> Outcome:
    """Revoke a token by its id, or the one that stands on standard input."""
    async with opened.database.begin() as tx:
        if token_id is None:
            found = await find_api_token(tx, digest_token(_read_token()))
            if found is None:
                return Refusal(
                    "the text on standard input is no token of this service",
                    "write the whole token there, or give its id",
                )
            token_id = found.id
        revoked = await revoke_token(tx, token_id, actor=opened.actor, now=opened.clock())
    if not isinstance(revoked, Revoked):
        return Refusal(
            f"there is no live token {token_id}", "`authreset token list --entry ENTRY` lists them"
        )
    data = {"id": token_id, "revoked_at": revoked.revoked_at}
    when = iso(revoked.revoked_at)
    return Answer(data, f"Revoked token {token_id} at {when}. Within 5 s it is refused everywhere.")


def _read_token() -> str:
    return sys.stdin.readline(TOKEN_LENGTH + 2).strip()
