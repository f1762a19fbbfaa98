"""OAuth clients: ids and secrets for SDKs that ask for an access token first."""

import sys
from collections.abc import Sequence

from authreset.cli.answers import Answer, Outcome, Refusal, iso
from authreset.cli.opening import Opened
from authreset.cli.tables import show_table
from authreset.cli.work.refusals import no_such_entry, to_refusal
from authreset.flows.add_organization import check_name
from authreset.flows.issue_access_token import PERMISSIONS, new_client_id, new_client_secret
from authreset.rules.tokens import TokenKind, digest_token
from authreset.store.database import Transaction
from authreset.store.entities import find_entity
from authreset.store.events import Event, add_events
from authreset.store.oauth_clients import (
    OauthClient,
    TooManySecrets,
    add_oauth_client,
    add_oauth_secret,
    find_oauth_client,
    list_oauth_clients,
    revoke_oauth_client,
    revoke_older_secrets,
)

_LONGEST_SECRET_LINE = 256
_ONCE = "The secret is shown this once: only its digest is kept."


async def add(
    opened: Opened, entry: str, name: str, kind: TokenKind, permissions: Sequence[str]
) -> Outcome:
    """Add a client with its first secret."""
    if problem := check_name(name):
        return to_refusal(problem)
    client_id, secret = new_client_id(opened.random_bytes), new_client_secret(opened.random_bytes)
    held = tuple(permissions) or PERMISSIONS
    now = opened.clock()
    async with opened.database.begin() as tx:
        entity = await find_entity(tx, entry)
        if entity is None:
            return no_such_entry(entry)
        await add_oauth_client(
            tx,
            client_id=client_id,
            entity_id=entity.id,
            name=name,
            kind=kind,
            permissions=held,
            now=now,
        )
        await add_oauth_secret(tx, client_id, digest_token(secret), now)
        await _note(tx, opened, "client.added", client_id, entity.id)
    data = {
        "client_id": client_id,
        "client_secret": secret,
        "entry": entry,
        "name": name,
        "type": kind.name.lower(),
        "permissions": list(held),
    }
    return Answer(
        data,
        (
            f"client id      {client_id}\nclient secret  {secret}\n\n{_ONCE}\n"
            "SDKs exchange both for an access token at POST /api/v2/Token/serverside."
        ),
    )


async def list_of(opened: Opened, entry: str) -> Outcome:
    """List a node's own clients."""
    async with opened.database.read() as tx:
        entity = await find_entity(tx, entry)
        if entity is None:
            return no_such_entry(entry)
        clients = await list_oauth_clients(tx, entity.id)
    data = [
        {
            "client_id": one.id,
            "name": one.name,
            "type": one.kind.name.lower(),
            "permissions": list(one.permissions),
            "created_at": one.created_at,
            "revoked_at": one.revoked_at,
        }
        for one in clients
    ]
    rows = [
        [
            one.id,
            one.name,
            one.kind.name.lower(),
            ", ".join(one.permissions),
            "revoked" if one.revoked_at else "active",
        ]
        for one in clients
    ]
    return Answer(
        {"entry": entry, "clients": data},
        show=show_table(
            ["client id", "name", "type", "permissions", "state"],
            rows,
            f"{entry} has no OAuth client: `authreset client add`.",
        ),
    )


async def rotate(opened: Opened, entry: str, client_id: str) -> Outcome:
    """Give a client one more secret; the one it has goes on working."""
    secret = new_client_secret(opened.random_bytes)
    async with opened.database.begin() as tx:
        client = await _find(tx, entry, client_id)
        if isinstance(client, Refusal):
            return client
        added = await add_oauth_secret(tx, client_id, digest_token(secret), opened.clock())
        if isinstance(added, TooManySecrets):
            return Refusal(
                "the client has two live secrets already",
                "end the older one: `authreset client retire`, with the newer on standard input",
            )
        await _note(tx, opened, "client.secret_added", client_id, client.entity_id)
    data = {"client_id": client_id, "client_secret": secret}
    return Answer(
        data,
        (
            f"client secret  {secret}\n\n{_ONCE}\nThe earlier one works until `authreset client"
            " retire` ends it."
        ),
    )


async def retire(opened: Opened, client_id: str) -> Outcome:
    """End every secret of a client but the one on standard input."""
    kept = digest_token(sys.stdin.readline(_LONGEST_SECRET_LINE).strip())
    async with opened.database.begin() as tx:
        client = await find_oauth_client(tx, client_id, kept)
        if client is None:
            return Refusal(
                "the text on standard input is no live secret of this client",
                "write the secret that is to stay there, as one line; nothing was ended",
            )
        ended = await revoke_older_secrets(tx, client_id, kept, opened.clock())
        await _note(tx, opened, "client.secrets_ended", client_id, client.entity_id)
    data = {"client_id": client_id, "ended_secrets": ended}
    return Answer(data, f"Ended {ended} secret(s) of client {client_id}; the given one stays.")


async def revoke(opened: Opened, client_id: str) -> Outcome:
    """End a client with every secret and token."""
    now = opened.clock()
    async with opened.database.begin() as tx:
        if not await revoke_oauth_client(tx, client_id, now):
            return Refusal(
                f"there is no live client {client_id}",
                "`authreset client list --entry ENTRY` lists them",
            )
        await _note(tx, opened, "client.revoked", client_id, None)
    return Answer(
        {"client_id": client_id, "revoked_at": now},
        f"Revoked client {client_id} at {iso(now)}. Within 5 s its tokens are refused everywhere.",
    )


async def _find(tx: Transaction, entry: str, client_id: str) -> OauthClient | Refusal:
    entity = await find_entity(tx, entry)
    if entity is None:
        return no_such_entry(entry)
    for client in await list_oauth_clients(tx, entity.id):
        if client.id == client_id and client.revoked_at is None:
            return client
    return Refusal(
        f"{entry} has no live client {client_id}", f"`authreset client list --entry {entry}`"
    )


async def _note(
    tx: Transaction, opened: Opened, kind: str, client_id: str, entity_id: int | None
) -> None:
    await add_events(
        tx,
        [
            Event(
                at=opened.clock(),
                kind=kind,
                actor=opened.actor,
                entity_id=entity_id,
                subject_id=client_id,
            )
        ],
    )
