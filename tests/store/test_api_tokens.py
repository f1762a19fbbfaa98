"""API tokens: found by their digest, with their node and every reason against them."""

from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from authreset.rules.tokens import TokenKind
from authreset.store.api_tokens import (
    add_api_token,
    find_api_token,
    list_api_tokens,
    renew_api_token,
    revoke_api_token,
)
from authreset.store.database import Database, Transaction
from authreset.store.entities import find_entity
from authreset.store.oauth_clients import add_oauth_client, revoke_oauth_client
from tests.support.databases import START, Tree

EXPIRY = START + timedelta(days=365)


async def add_token(
    tx: Transaction, tree: Tree, digest: bytes, client_id: str | None = None
) -> int:
    return await add_api_token(
        tx,
        digest=digest,
        kind=TokenKind.ORGANIZATION,
        mode="private",
        entity_id=tree.sub.id,
        networks=["192.0.2.0/24", "2001:db8::/32"],
        now=START,
        expires_at=EXPIRY,
        client_id=client_id,
        permissions=["authreset"] if client_id else None,
    )


async def test_a_token_is_found_with_its_node(database: Database, tree: Tree) -> None:
    async with database.begin() as tx:
        token_id = await add_token(tx, tree, b"digest")
        row = await find_api_token(tx, b"digest")
        assert await find_api_token(tx, b"other") is None
    assert row is not None
    assert (row.id, row.kind, row.mode) == (token_id, TokenKind.ORGANIZATION, "private")
    assert row.entity == tree.sub
    assert row.networks == ("192.0.2.0/24", "2001:db8::/32")
    assert (row.permissions, row.expires_at, row.revoked_at) == (None, EXPIRY, None)


async def test_a_digest_is_stored_once(database: Database, tree: Tree) -> None:
    async with database.begin() as tx:
        await add_token(tx, tree, b"digest")
    with pytest.raises(IntegrityError):
        async with database.begin() as tx:
            await add_token(tx, tree, b"digest")


async def test_a_token_is_revoked_once_and_shows_it(database: Database, tree: Tree) -> None:
    later = START + timedelta(hours=1)
    async with database.begin() as tx:
        token_id = await add_token(tx, tree, b"digest")
        assert await revoke_api_token(tx, token_id, later)
        assert not await revoke_api_token(tx, token_id, later + timedelta(hours=1))
        assert not await revoke_api_token(tx, token_id + 1, later)
        row = await find_api_token(tx, b"digest")
    assert row is not None
    assert row.revoked_at == later


async def test_the_end_of_its_client_is_the_end_of_a_token(database: Database, tree: Tree) -> None:
    later = START + timedelta(hours=1)
    async with database.begin() as tx:
        for client_id in ("ended", "kept"):
            await add_oauth_client(
                tx,
                client_id=client_id,
                entity_id=tree.sub.id,
                name="a partner",
                kind=TokenKind.ORGANIZATION,
                permissions=["authreset"],
                now=START,
            )
            await add_token(tx, tree, client_id.encode(), client_id)
        await revoke_oauth_client(tx, "ended", later)
        ended = await find_api_token(tx, b"ended")
        kept = await find_api_token(tx, b"kept")
    assert ended is not None
    assert kept is not None
    assert (ended.revoked_at, kept.revoked_at) == (later, None)
    assert kept.permissions == ("authreset",)


async def test_a_node_lists_its_own_tokens_alone(database: Database, tree: Tree) -> None:
    async with database.begin() as tx:
        first = await add_token(tx, tree, b"one")
        second = await add_token(tx, tree, b"two")
        assert [one.id for one in await list_api_tokens(tx, tree.sub.id)] == [first, second]
        assert await list_api_tokens(tx, tree.root.id) == []


async def test_a_derived_token_is_renewed_and_not_doubled(database: Database, tree: Tree) -> None:
    async def renew(tx: Transaction, days: int) -> None:
        await renew_api_token(
            tx,
            digest=b"demo",
            kind=TokenKind.APPLICATION,
            mode="private",
            entity_id=tree.root.id,
            now=START,
            expires_at=START + timedelta(days=days),
        )

    async with database.begin() as tx:
        await renew(tx, 1)
        (row,) = await list_api_tokens(tx, tree.root.id)
        await revoke_api_token(tx, row.id, START)
        await renew(tx, 30)
        (renewed,) = await list_api_tokens(tx, tree.root.id)
    assert renewed.id == row.id
    assert (renewed.expires_at, renewed.revoked_at) == (START + timedelta(days=30), None)


async def test_a_tokens_node_shows_its_present_place(database: Database, tree: Tree) -> None:
    async with database.begin() as tx:
        await add_token(tx, tree, b"digest")
        row = await find_api_token(tx, b"digest")
        assert row is not None
        assert row.entity == await find_entity(tx, tree.sub.entry)
