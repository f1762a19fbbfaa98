"""Access tokens for clients: which credentials count, and what their tokens may do."""

from datetime import timedelta

import pytest

from authreset.flows.authenticate import UNAUTHORIZED, ApiCaller, Authenticator, Caller
from authreset.flows.issue_access_token import (
    INVALID_CREDENTIALS,
    PERMISSIONS,
    AccessToken,
    InvalidPermissions,
    IssueAccessToken,
    new_client_id,
    new_client_secret,
)
from authreset.rules.tokens import TokenKind, digest_token
from authreset.store.database import Database
from authreset.store.oauth_clients import (
    TooManySecrets,
    add_oauth_client,
    add_oauth_secret,
    list_oauth_clients,
    revoke_oauth_client,
    revoke_oauth_secret,
    revoke_older_secrets,
)
from tests.support.databases import FakeClock, SeededBytes, Tree


class Clients:
    """One client of the root organisation, with one secret."""

    def __init__(self, database: Database, keyring, clock: FakeClock, random_bytes: SeededBytes):
        self.database = database
        self.keyring = keyring
        self.clock = clock
        self.random_bytes = random_bytes
        self.id = new_client_id(random_bytes)
        self.secret = new_client_secret(random_bytes)
        self.issue = IssueAccessToken(
            database=database, keyring=keyring, clock=clock, random_bytes=random_bytes
        )

    async def add(self, tree: Tree, *permissions: str) -> None:
        async with self.database.begin() as tx:
            await add_oauth_client(
                tx, client_id=self.id, entity_id=tree.root.id, name="shop backend",
                kind=TokenKind.APPLICATION, permissions=permissions or PERMISSIONS,
                now=self.clock(),
            )  # fmt: skip
        assert await self.add_secret(self.secret) is None

    async def add_secret(self, secret: str) -> TooManySecrets | None:
        async with self.database.begin() as tx:
            return await add_oauth_secret(tx, self.id, digest_token(secret), self.clock())

    async def caller_of(self, token: str) -> Caller | object:
        """Tell whom a token stands for, without a cache."""
        authenticator = Authenticator(
            intake=self.database, main=self.database, keyring=self.keyring, clock=self.clock,
            monotonic=self.clock.monotonic,
        )  # fmt: skip
        return await authenticator.authenticate(token, "203.0.113.9")


@pytest.fixture
async def clients(database: Database, tree: Tree, keyring, clock, random_bytes) -> Clients:
    clients = Clients(database, keyring, clock, random_bytes)
    await clients.add(tree)
    return clients


async def test_a_token_of_the_clients_kind_and_node_for_an_hour(clients: Clients, tree: Tree):
    issued = await clients.issue(clients.id, clients.secret, None)

    assert isinstance(issued, AccessToken)
    assert issued.lifetime == timedelta(hours=1)
    assert issued.token not in repr(issued)
    caller = await clients.caller_of(issued.token)
    assert isinstance(caller, ApiCaller)
    assert (caller.kind, caller.entity) == (TokenKind.APPLICATION, tree.root)
    assert caller.may_manage_users()
    assert all(caller.has_permission(name) for name in PERMISSIONS)
    clients.clock.advance(hours=1)
    assert await clients.caller_of(issued.token) is UNAUTHORIZED


async def test_permissions_only_narrow(clients: Clients):
    issued = await clients.issue(clients.id, clients.secret, ["authreset"])
    refused = await clients.issue(clients.id, clients.secret, ["authreset", "everything"])

    assert isinstance(issued, AccessToken)
    caller = await clients.caller_of(issued.token)
    assert isinstance(caller, ApiCaller)
    assert caller.has_permission("authreset")
    assert not caller.has_permission("login")
    assert isinstance(refused, InvalidPermissions)


@pytest.mark.parametrize("id_right", [True, False])
@pytest.mark.parametrize("secret", ["", "x" * 4000, "ÿ", "\ud800"])
async def test_wrong_credentials(clients: Clients, id_right: bool, secret: str):
    assert await clients.issue(clients.id[::-1], clients.secret, None) is INVALID_CREDENTIALS
    wrong = clients.id if id_right else "nobody"
    assert await clients.issue(wrong, secret, None) is INVALID_CREDENTIALS


async def test_two_secrets_live_and_no_third(clients: Clients):
    second = new_client_secret(clients.random_bytes)
    assert await clients.add_secret(second) is None
    assert isinstance(await clients.add_secret("third"), TooManySecrets)

    for secret in (clients.secret, second):
        assert isinstance(await clients.issue(clients.id, secret, None), AccessToken)
    assert await clients.issue(clients.id, "third", None) is INVALID_CREDENTIALS

    async with clients.database.begin() as tx:
        kept = digest_token(second)
        assert await revoke_older_secrets(tx, clients.id, kept, clients.clock()) == 1
    assert await clients.issue(clients.id, clients.secret, None) is INVALID_CREDENTIALS
    assert isinstance(await clients.issue(clients.id, second, None), AccessToken)
    assert await clients.add_secret("third") is None


async def test_a_revoked_secret_is_dead(clients: Clients):
    async with clients.database.begin() as tx:
        digest = digest_token(clients.secret)
        assert await revoke_oauth_secret(tx, clients.id, digest, clients.clock())
        assert not await revoke_oauth_secret(tx, clients.id, digest, clients.clock())

    assert await clients.issue(clients.id, clients.secret, None) is INVALID_CREDENTIALS


async def test_a_revoked_client_is_dead_with_its_tokens(clients: Clients, tree: Tree):
    issued = await clients.issue(clients.id, clients.secret, None)
    assert isinstance(issued, AccessToken)

    async with clients.database.begin() as tx:
        assert await revoke_oauth_client(tx, clients.id, clients.clock())
        assert not await revoke_oauth_client(tx, clients.id, clients.clock())
        (client,) = await list_oauth_clients(tx, tree.root.id)

    assert client.revoked_at == clients.clock()
    assert await clients.issue(clients.id, clients.secret, None) is INVALID_CREDENTIALS
    assert await clients.caller_of(issued.token) is UNAUTHORIZED
