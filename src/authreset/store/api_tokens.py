"""API tokens: digests, and what their holder may do. A token itself is never here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from authreset.rules.tenancy import EntityRef
from authreset.rules.tokens import TokenKind
from authreset.store.database import Transaction
from authreset.store.statements import delete_before, insert_or
from authreset.store.tables import api_tokens, entities, oauth_clients


@dataclass(frozen=True, slots=True)
class ApiTokenRow:
    """An API token with its node. Whether it may be used now is for the caller to judge."""

    id: int
    kind: TokenKind
    mode: str
    entity: EntityRef
    permissions: tuple[str, ...] | None
    networks: tuple[str, ...]
    expires_at: datetime
    revoked_at: datetime | None


_ROWS = (
    select(
        api_tokens,
        entities.c.id.label("e_id"),
        entities.c.type,
        entities.c.entry,
        entities.c.root_id,
        entities.c.path,
        oauth_clients.c.revoked_at.label("client_revoked_at"),
    )
    .join(entities, entities.c.id == api_tokens.c.entity_id)
    .outerjoin(oauth_clients, oauth_clients.c.id == api_tokens.c.client_id)
)


async def find_api_token(tx: Transaction, digest: bytes) -> ApiTokenRow | None:
    """Return the token of that digest, also when it is expired or revoked."""
    row = (await tx.execute(_ROWS.where(api_tokens.c.digest == digest))).mappings().first()
    return None if row is None else _api_token(row)


async def list_api_tokens(tx: Transaction, entity_id: int) -> list[ApiTokenRow]:
    """Return a node's own tokens, the oldest first."""
    query = _ROWS.where(api_tokens.c.entity_id == entity_id).order_by(api_tokens.c.id)
    return [_api_token(row) for row in (await tx.execute(query)).mappings()]


async def add_api_token(
    tx: Transaction,
    *,
    digest: bytes,
    kind: TokenKind,
    mode: str,
    entity_id: int,
    networks: Sequence[str],
    now: datetime,
    expires_at: datetime,
    client_id: str | None = None,
    permissions: Sequence[str] | None = None,
) -> int:
    """Store a token's digest and return its id."""
    statement = insert(api_tokens).values(
        digest=digest,
        kind=kind.value,
        mode=mode,
        entity_id=entity_id,
        networks=list(networks),
        created_at=now,
        expires_at=expires_at,
        client_id=client_id,
        permissions=None if permissions is None else list(permissions),
    )
    token_id: int = (await tx.execute(statement.returning(api_tokens.c.id))).scalar_one()
    return token_id


async def renew_api_token(
    tx: Transaction,
    *,
    digest: bytes,
    kind: TokenKind,
    mode: str,
    entity_id: int,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Store a derived token's digest, or move its expiry when it is there already."""
    values: dict[str, Any] = {
        "digest": digest,
        "kind": kind.value,
        "mode": mode,
        "entity_id": entity_id,
        "networks": [],
        "created_at": now,
        "expires_at": expires_at,
    }
    statement = (
        insert_or(tx, api_tokens)
        .values(values)
        .on_conflict_do_update(
            index_elements=["digest"], set_={"expires_at": expires_at, "revoked_at": None}
        )
    )
    await tx.execute(statement)


async def revoke_api_token(tx: Transaction, token_id: int, now: datetime) -> bool:
    """End a token; tell whether there was one to end."""
    ended = await tx.execute(
        update(api_tokens)
        .where(api_tokens.c.id == token_id, api_tokens.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return ended.rowcount > 0


async def sweep_access_tokens(tx: Transaction, before: datetime, limit: int) -> int:
    """Remove short-lived access tokens that ran out before that instant."""
    short_lived = api_tokens.c.client_id.is_not(None)
    return await delete_before(tx, api_tokens.c.expires_at, before, limit, short_lived)


def _api_token(row: Any) -> ApiTokenRow:
    return ApiTokenRow(
        id=row["id"],
        kind=TokenKind(row["kind"]),
        mode=row["mode"],
        entity=EntityRef(row["e_id"], row["type"], row["entry"], row["root_id"], row["path"]),
        permissions=None if row["permissions"] is None else tuple(row["permissions"]),
        networks=tuple(row["networks"]),
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"] or row["client_revoked_at"],
    )
