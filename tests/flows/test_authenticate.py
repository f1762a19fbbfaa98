"""Who calls: every cause of a refusal is one value, and garbage never reaches the database."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from authreset.flows.authenticate import (
    REVOCATION_SECONDS,
    UNAUTHORIZED,
    ApiCaller,
    Authenticator,
    UserCaller,
)
from authreset.rules.keyrings import KeyRing, SecretKey
from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import EntityType, TokenMode
from authreset.rules.tokens import TokenKind, digest_token, new_token
from authreset.store.api_tokens import add_api_token, revoke_api_token
from authreset.store.database import Database, StoreUnavailable
from authreset.store.sessions import add_session, delete_session
from authreset.store.tables import users
from tests.flows.processing import KEYS
from tests.support.databases import FakeClock, SeededBytes, Tree, open_database
from tests.support.postgres import free_port

HOME = "203.0.113.7"


@dataclass
class Door:
    """An authenticator, and the means to hand out tokens for it."""

    database: Database
    tree: Tree
    clock: FakeClock
    random_bytes: SeededBytes
    authenticator: Authenticator

    def new_token(self, kind: TokenKind = TokenKind.ORGANIZATION) -> str:
        return new_token(kind, KEYS, self.random_bytes)

    async def issue(self, kind: TokenKind = TokenKind.ORGANIZATION, **given: Any) -> str:
        token = self.new_token(kind)
        values = {"mode": "private", "entity_id": self.tree.root.id, "networks": []} | given
        values.setdefault("expires_at", self.clock() + timedelta(days=30))
        async with self.database.begin() as tx:
            await add_api_token(
                tx, digest=digest_token(token), kind=kind, now=self.clock(), **values
            )
        return token

    async def open_session(self, user_id: int, expires_at: datetime | None = None) -> str:
        token = self.new_token(TokenKind.SESSION)
        async with self.database.begin() as tx:
            await add_session(
                tx,
                digest=digest_token(token),
                user_id=user_id,
                entity_id=self.tree.shop.id,
                created_at=self.clock(),
                expires_at=expires_at or self.clock() + timedelta(hours=2),
            )
        return token

    async def ask(self, token: str | None, address: str = HOME) -> Any:
        return await self.authenticator.authenticate(token, address)


def authenticator_of(database: Database, clock: FakeClock, keys: KeyRing = KEYS) -> Authenticator:
    return Authenticator(
        intake=database, main=database, keyring=keys, clock=clock, monotonic=clock.monotonic
    )


@pytest.fixture
async def door(database: Database, tree: Tree, clock: FakeClock, random_bytes: SeededBytes) -> Door:
    return Door(database, tree, clock, random_bytes, authenticator_of(database, clock))


class TestApiTokens:
    async def test_holder_is_known_by_node_kind_and_mode(self, door):
        token = await door.issue(mode="public", entity_id=door.tree.shop.id)
        caller = await door.ask(token)
        assert isinstance(caller, ApiCaller)
        assert (caller.entity, caller.kind, caller.mode) == (
            door.tree.shop,
            TokenKind.ORGANIZATION,
            TokenMode.PUBLIC,
        )

    @pytest.mark.parametrize(
        ("kind", "mode", "may"),
        [
            (TokenKind.APPLICATION, "private", True),
            (TokenKind.APPLICATION, "public", False),
            (TokenKind.ORGANIZATION, "private", False),
            (TokenKind.ORGANIZATION, "public", False),
        ],
    )
    async def test_only_a_private_application_token_may_manage_users(self, door, kind, mode, may):
        caller = await door.ask(await door.issue(kind, mode=mode))
        assert caller.may_manage_users() is may

    async def test_expiry_counts_to_the_instant(self, door):
        token = await door.issue(expires_at=door.clock() + timedelta(seconds=2))
        door.clock.advance(seconds=1)
        assert isinstance(await door.ask(token), ApiCaller)
        door.clock.advance(seconds=1)
        assert await door.ask(token) is UNAUTHORIZED

    @pytest.mark.parametrize(
        ("networks", "address", "allowed"),
        [
            ([], "198.51.100.1", True),
            (["203.0.113.0/24"], "203.0.113.200", True),
            (["203.0.113.0/24"], "198.51.100.1", False),
            (["10.0.0.0/8", "2001:db8::/32"], "2001:db8::7", True),
            (["203.0.113.0/24"], "", False),
        ],
    )
    async def test_networks_bind_the_token_to_where_it_is_used(
        self, door, networks, address, allowed
    ):
        token = await door.issue(networks=networks)
        assert isinstance(await door.ask(token, address), ApiCaller) is allowed
        assert await door.ask(token, address) == door.authenticator.recall(token, address)

    async def test_revocation_holds_within_five_seconds(self, door):
        token = await door.issue()
        caller = await door.ask(token)
        async with door.database.begin() as tx:
            await revoke_api_token(tx, caller.token_id, door.clock())
        door.clock.advance(seconds=REVOCATION_SECONDS + 0.001)
        assert REVOCATION_SECONDS < 5
        assert door.authenticator.recall(token, HOME) is None
        assert await door.ask(token) is UNAUTHORIZED

    async def test_token_issued_after_it_was_first_tried_is_known_within_five_seconds(self, door):
        token = door.new_token()
        assert await door.ask(token) is UNAUTHORIZED
        async with door.database.begin() as tx:
            await add_api_token(
                tx,
                digest=digest_token(token),
                kind=TokenKind.ORGANIZATION,
                mode="private",
                entity_id=door.tree.root.id,
                networks=[],
                now=door.clock(),
                expires_at=door.clock() + timedelta(days=30),
            )
        door.clock.advance(seconds=5)
        assert isinstance(await door.ask(token), ApiCaller)

    async def test_recall_waits_for_nothing(self, door):
        token = await door.issue()
        assert door.authenticator.recall(token, HOME) is None
        caller = await door.ask(token)
        assert door.authenticator.recall(token, HOME) == caller


class TestSessions:
    async def test_user_is_known_by_a_live_session(self, door):
        user_id = door.tree.users[UserStatus.ACTIVE]
        caller = await door.ask(await door.open_session(user_id))
        assert isinstance(caller, UserCaller)
        assert (caller.user_id, caller.entity) == (user_id, door.tree.shop)

    async def test_session_is_over_at_its_instant(self, door):
        user_id = door.tree.users[UserStatus.ACTIVE]
        token = await door.open_session(user_id, door.clock() + timedelta(seconds=1))
        assert isinstance(await door.ask(token), UserCaller)
        door.clock.advance(seconds=1)
        assert await door.ask(token) is UNAUTHORIZED

    @pytest.mark.parametrize("status", [s for s in UserStatus if s is not UserStatus.ACTIVE])
    async def test_only_an_active_users_session_counts(self, door, status):
        assert await door.ask(await door.open_session(door.tree.users[status])) is UNAUTHORIZED

    async def test_ended_session_and_changed_status_hold_at_once(self, door):
        user_id = door.tree.users[UserStatus.ACTIVE]
        first, second = [await door.open_session(user_id) for _ in range(2)]
        assert isinstance(await door.ask(first), UserCaller)
        async with door.database.begin() as tx:
            await delete_session(tx, digest_token(first))
        assert await door.ask(first) is UNAUTHORIZED
        assert isinstance(await door.ask(second), UserCaller)
        async with door.database.begin() as tx:
            await tx.execute(update(users).where(users.c.id == user_id).values(status=85))
        assert await door.ask(second) is UNAUTHORIZED


class TestEntities:
    @pytest.mark.parametrize(
        ("holder", "entry", "type_", "found"),
        [
            ("root", "pilgrim", EntityType.ORGANIZATION, True),
            ("root", "8cfec329267", EntityType.PAYPOINT, True),
            ("root", "stall", EntityType.PAYPOINT, True),
            ("root", "8cfec329267", EntityType.ORGANIZATION, False),  # of another type
            ("root", "meridian", EntityType.ORGANIZATION, False),  # another root
            ("sub", "8cfec329267", EntityType.PAYPOINT, False),  # beside
            ("sub", "pilgrim", EntityType.ORGANIZATION, False),  # above
            ("shop", "8cfec329267", EntityType.PAYPOINT, True),
            ("root", "nowhere", EntityType.ORGANIZATION, False),
        ],
    )
    async def test_entry_counts_inside_the_callers_own_tree(
        self, door, holder, entry, type_, found
    ):
        caller = await door.ask(await door.issue(entity_id=getattr(door.tree, holder).id))
        entity = await door.authenticator.find_within(caller, entry, type_)
        assert (entity is not None) is found


def unreachable() -> Database:
    return open_database(f"postgresql://postgres@127.0.0.1:{free_port()}/nothing")


class TestGarbage:
    """The database of these tests cannot be reached, so asking it would be seen."""

    @pytest.mark.parametrize(
        "token",
        [
            None,
            "",
            "o.",
            "o." + "A" * 44,
            "x." + "A" * 44,
            "Bearer o." + "A" * 44,
            "o." + "A" * 10_000,
            "\udcff\x00",
        ],
    )
    async def test_is_refused_without_asking(self, clock, token):
        authenticator = authenticator_of(unreachable(), clock)
        assert await authenticator.authenticate(token, HOME) is UNAUTHORIZED
        assert authenticator.recall(token, HOME) is UNAUTHORIZED

    @pytest.mark.parametrize("kind", [TokenKind.ORGANIZATION, TokenKind.SESSION])
    async def test_well_formed_unknown_token_cannot_be_judged_without_it(
        self, clock, random_bytes, kind
    ):
        authenticator = authenticator_of(unreachable(), clock)
        token = new_token(kind, KEYS, random_bytes)
        with pytest.raises(StoreUnavailable):
            await authenticator.authenticate(token, HOME)

    async def test_reset_token_opens_nothing(self, clock, random_bytes):
        authenticator = authenticator_of(unreachable(), clock)
        token = new_token(TokenKind.RESET, KEYS, random_bytes)
        assert await authenticator.authenticate(token, HOME) is UNAUTHORIZED

    async def test_token_of_a_retired_key_is_garbage(self, clock, random_bytes):
        others = KeyRing([SecretKey(b"quite another key of 32 bytes, +")])
        token = new_token(TokenKind.ORGANIZATION, others, random_bytes)
        authenticator = authenticator_of(unreachable(), clock)
        assert await authenticator.authenticate(token, HOME) is UNAUTHORIZED

    @given(st.integers(2, 45), st.characters(codec="ascii"))
    def test_one_changed_character_makes_it_garbage(self, place, character):
        clock = FakeClock()
        token = new_token(TokenKind.ORGANIZATION, KEYS, SeededBytes())
        changed = token[:place] + character + token[place + 1 :]
        recalled = authenticator_of(unreachable(), clock).recall(changed, HOME)
        assert (recalled is None) == (changed == token)
