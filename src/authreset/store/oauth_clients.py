"""OAuth clients and the digests of their secrets. A secret itself is never here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update

from authreset.rules.tokens import TokenKind
from authreset.store.database import Transaction
from authreset.store.tables import oauth_clients, oauth_secrets

MOST_SECRETS = 2
"""The old one and the new one, so that a secret can be changed without a gap."""


@dataclass(frozen=True, slots=True)
class OauthClient:
    """A client, the node it acts for, and the most that its tokens may do."""

    id: str
    entity_id: int
    name: str
    kind: TokenKind
    permissions: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


class TooManySecrets:
    """The client has two live secrets: revoke one before another is added."""


async def add_oauth_client(
    tx: Transaction,
    *,
    client_id: str,
    entity_id: int,
    name: str,
    kind: TokenKind,
    permissions: Sequence[str],
    now: datetime,
) -> None:
    """Add a client without a secret."""
    await tx.execute(
        insert(oauth_clients).values(
            id=client_id,
            entity_id=entity_id,
            name=name,
            kind=kind.value,
            permissions=list(permissions),
            created_at=now,
        )
    )


async def add_oauth_secret(
    tx: Transaction, client_id: str, digest: bytes, now: datetime
) -> TooManySecrets | None:
    """Store the digest of one more secret."""
    # Holding the client's row makes two who add at once see each other.
    held = select(oauth_clients.c.id).where(oauth_clients.c.id == client_id).with_for_update()
    await tx.execute(held)
    live = (
        select(func.count())
        .select_from(oauth_secrets)
        .where(oauth_secrets.c.client_id == client_id, oauth_secrets.c.revoked_at.is_(None))
    )
    if (await tx.execute(live)).scalar_one() >= MOST_SECRETS:
        return TooManySecrets()
    row = {"digest": digest, "client_id": client_id, "created_at": now}
    await tx.execute(insert(oauth_secrets).values(row))
    return None


async def find_oauth_client(
    tx: Transaction, client_id: str, secret_digest: bytes
) -> OauthClient | None:
    """Return the client that has this id and a live secret of that digest; a revoked one never."""
    query = (
        select(oauth_clients)
        .join(oauth_secrets, oauth_secrets.c.client_id == oauth_clients.c.id)
        .where(oauth_secrets.c.digest == secret_digest, oauth_secrets.c.revoked_at.is_(None))
        .where(oauth_clients.c.id == client_id, oauth_clients.c.revoked_at.is_(None))
    )
    row = (await tx.execute(query)).mappings().first()
    return None if row is None else _client(row)


async def list_oauth_clients(tx: Transaction, entity_id: int) -> list[OauthClient]:
    """Return a node's own clients, also revoked ones, the oldest first."""
    query = select(oauth_clients).where(oauth_clients.c.entity_id == entity_id)
    found = await tx.execute(query.order_by(oauth_clients.c.created_at, oauth_clients.c.id))
    return [_client(row) for row in found.mappings()]


async def revoke_oauth_secret(
    tx: Transaction, client_id: str, digest: bytes, now: datetime
) -> bool:
    """End a secret; tell whether there was one to end. Tokens got with it live out their hour."""
    ended = await tx.execute(
        update(oauth_secrets)
        .where(oauth_secrets.c.digest == digest, oauth_secrets.c.client_id == client_id)
        .where(oauth_secrets.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return ended.rowcount > 0


async def revoke_older_secrets(tx: Transaction, client_id: str, kept: bytes, now: datetime) -> int:
    """End every secret but the one of that digest; return how many there were."""
    ended = await tx.execute(
        update(oauth_secrets)
        .where(oauth_secrets.c.client_id == client_id, oauth_secrets.c.digest != kept)
        .where(oauth_secrets.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return ended.rowcount


async def revoke_oauth_client(tx: Transaction, client_id: str, now: datetime) -> bool:
    """End a client and every token it was given; tell whether there was one to end."""
    ended = await tx.execute(
        update(oauth_clients)
        .where(oauth_clients.c.id == client_id, oauth_clients.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return ended.rowcount > 0


def _client(row: Any) -> OauthClient:
    return OauthClient(
        id=row["id"],
        entity_id=row["entity_id"],
        name=row["name"],
        kind=TokenKind(row["kind"]),
        permissions=tuple(row["permissions"]),
        created_at=row["created_at"],
        revoked_at=row["revoked_at"],
    )
