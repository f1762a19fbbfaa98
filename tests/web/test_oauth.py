"""Access tokens for clients, as the SDKs ask for them, and the calls that they open."""

import json

import httpx
import pytest
from payabli.types.payabli_access_token_response import PayabliAccessTokenResponse
from payabli.types.token_error_response import TokenErrorResponse

from authreset.flows.issue_access_token import new_client_secret
from authreset.rules.lockout import UserStatus
from authreset.rules.tokens import TokenKind, digest_token
from authreset.store.oauth_clients import (
    add_oauth_client,
    add_oauth_secret,
    revoke_oauth_client,
)
from tests.support.databases import EMAILS
from tests.support.recovery import CLIENT, OLD
from tests.support.site import Site

CLIENT_ID = "shop-backend"


@pytest.fixture
async def secret(site: Site) -> str:
    """Add an application's client and return its secret."""
    recovery = site.recovery
    secret = new_client_secret(recovery.random_bytes)
    async with recovery.database.begin() as tx:
        await add_oauth_client(
            tx,
            client_id=CLIENT_ID,
            entity_id=recovery.tree.root.id,
            name="Shop backend",
            kind=TokenKind.APPLICATION,
            permissions=("authreset", "login"),
            now=recovery.clock(),
        )
        await add_oauth_secret(tx, CLIENT_ID, digest_token(secret), recovery.clock())
    return secret


async def ask(site: Site, secret: object, **changes: object) -> httpx.Response:
    body = {"clientId": CLIENT_ID, "clientSecret": secret, **changes}
    async with site.client() as client:
        return await client.post("/api/v2/Token/serverside", json=body)


async def log_in(site: Site, token: str) -> httpx.Response:
    async with site.client(headers={"Authorization": f"Bearer {token}"}) as client:
        body = {"email": EMAILS[UserStatus.ACTIVE], "psw": OLD}
        return await client.post("/api/User/auth/null", json=body)


async def ask_for_reset(site: Site, token: str) -> httpx.Response:
    async with site.client(headers={"Authorization": f"Bearer {token}"}) as client:
        return await client.post("/api/User/authreset", json={})


async def test_answers_what_the_sdk_reads(site: Site, secret: str):
    answer = await ask(site, secret)

    read = PayabliAccessTokenResponse(**answer.json())
    assert (read.token_type, read.expires_in) == ("Bearer", 3600)
    assert set(answer.json()) == {"token_type", "access_token", "expires_in"}
    assert (await log_in(site, read.access_token)).status_code == 200
    assert (await ask_for_reset(site, read.access_token)).status_code == 200


async def test_echoes_the_state_it_was_sent(site: Site, secret: str):
    assert (await ask(site, secret, state="order 17, ü")).json()["state"] == "order 17, ü"
    assert "state" not in (await ask(site, secret, state=None)).json()


async def test_permissions_narrow(site: Site, secret: str):
    token = (await ask(site, secret, permissions=["authreset"])).json()["access_token"]

    assert (await ask_for_reset(site, token)).status_code == 200
    assert (await log_in(site, token)).status_code == 403

    wider = await ask(site, secret, permissions=["authreset", "refund"])
    assert (wider.status_code, wider.json()["errorType"]) == (400, "InvalidPermissions")


async def test_a_token_ends_with_its_hour_and_with_its_client(site: Site, secret: str):
    first = (await ask(site, secret)).json()["access_token"]
    second = (await ask(site, secret)).json()["access_token"]
    site.recovery.clock.advance(minutes=59)
    assert (await ask_for_reset(site, first)).status_code == 200

    async with site.recovery.database.begin() as tx:
        await revoke_oauth_client(tx, CLIENT_ID, site.recovery.clock())
    site.recovery.clock.advance(seconds=5)  # what a cache may still believe

    assert (await ask_for_reset(site, first)).status_code == 401
    assert (await ask_for_reset(site, second)).status_code == 401
    assert (await ask(site, secret)).json()["errorType"] == "InvalidCredentials"


@pytest.mark.parametrize(
    "changes",
    [
        {"clientSecret": "wrong"},
        {"clientId": "another"},
        {"clientId": "shop\x00backend"},
    ],
)
async def test_wrong_credentials_are_one_answer(
    site: Site, secret: str, changes: dict[str, object]
):
    answer = await ask(site, secret, **changes)

    assert answer.status_code == 400
    assert TokenErrorResponse(**answer.json()).error_type == "InvalidCredentials"
    assert answer.content == (await ask(site, "wrong as well")).content


@pytest.mark.parametrize(
    "changes",
    [
        {"clientId": None},
        {"clientSecret": None},
        {"clientId": ""},
        {"clientId": 5},
        {"permissions": "login"},
        {"permissions": [1]},
        {"state": "x" * 513},
        {"state": "a\x00b"},
        {"state": {}},
    ],
)
async def test_malformed_questions_are_told_in_its_own_shape(
    site: Site, secret: str, changes: dict[str, object]
):
    answer = await ask(site, secret, **changes)
    assert (answer.status_code, answer.json()["errorType"]) == (400, "BadRequest")


async def test_text_that_has_no_utf8_is_no_secret(site: Site, secret: str):
    body = json.dumps({"clientId": CLIENT_ID, "clientSecret": "\ud800"})
    async with site.client(headers={"Content-Type": "application/json"}) as client:
        answer = await client.post("/api/v2/Token/serverside", content=body)
    assert answer.status_code == 400


async def test_a_body_that_is_no_json(site: Site):
    async with site.client(headers={"Content-Type": "text/plain"}) as client:
        answer = await client.post("/api/v2/Token/serverside", content=b"grant_type=x")
    assert answer.json()["errorType"] == "BadRequest"


async def test_a_flood(site: Site, secret: str):
    site.limited[CLIENT] = 9.0
    answer = await ask(site, secret)
    assert (answer.status_code, answer.json()["errorType"]) == (429, "TooManyRequests")
    assert answer.headers["retry-after"] == "9"
