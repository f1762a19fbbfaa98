"""Setting a password through the API, and what holds for all of its calls.

Each answer is held to the OpenAPI document as well (`tests.support.site`).
"""

from collections.abc import Iterator

import msgspec
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from payabli.types.change_psw_user_response import ChangePswUserResponse
from payabli.types.payabli_error_body import PayabliErrorBody

from authreset.hashing import HashingBusy
from authreset.rules.tokens import TokenKind, new_token
from authreset.web.documents import OPENAPI
from tests.support.calls import SUCCESS, credentials, log_in, set_password
from tests.support.recovery import CLIENT, NEW, OLD, MeanwhileHasher, Recovery
from tests.support.site import Site


class TestSettingAPassword:
    async def test_by_a_link_then_the_new_password_logs_in_and_the_old_does_not(self, site: Site):
        token, _ = await site.recovery.make_link()
        application = await site.add_token()
        session = await site.recovery.open_session()

        answer = await set_password(site, token)

        assert (answer.status_code, answer.json()) == (200, SUCCESS)
        assert ChangePswUserResponse(**answer.json()).is_success
        assert (
            await set_password(site, session, "another fine phrase of words")
        ).status_code == 401
        assert (await log_in(site, application, psw=NEW)).status_code == 200
        assert (await log_in(site, application, psw=OLD)).status_code == 401

    async def test_a_bearer_token_counts_as_well(self, site: Site):
        token, _ = await site.recovery.make_link()
        async with site.client(headers={"Authorization": f"bearer {token}"}) as client:
            answer = await client.put("/api//User/AuthPsw", json={"psw": NEW})
        assert answer.status_code == 200

    async def test_by_a_session_which_ends_with_it(self, site: Site):
        session = await site.recovery.open_session()

        assert (await set_password(site, session)).status_code == 200

        assert await site.recovery.has_password(NEW)
        async with site.client(session) as client:
            assert (await client.get("/api/User/authlogout")).status_code == 401

    async def test_no_session_is_opened(self, site: Site):
        token, _ = await site.recovery.make_link()
        answer = await set_password(site, token)
        assert set(answer.json()) == {"isSuccess", "responseText"}
        assert "set-cookie" not in answer.headers

    async def test_every_dead_token_gets_the_same_401(self, site: Site):
        recovery = site.recovery
        used, _ = await recovery.make_link()
        await set_password(site, used)
        expired, _ = await recovery.make_link()
        recovery.clock.advance(hours=2)
        dead = {
            "missing": None,
            "garbage": "hello",
            "used": used,
            "expired": expired,
            "unknown": new_token(TokenKind.RESET, recovery.keyring, recovery.random_bytes),
            "no session": new_token(TokenKind.SESSION, recovery.keyring, recovery.random_bytes),
            "an application's": await site.add_token(),
            "an organisation's": await site.add_token(TokenKind.ORGANIZATION),
        }

        answers = {name: await set_password(site, token) for name, token in dead.items()}

        assert {one.status_code for one in answers.values()} == {401}
        assert len({one.content for one in answers.values()}) == 1
        PayabliErrorBody(**answers["used"].json())

    async def test_two_tokens_are_none(self, site: Site):
        token, _ = await site.recovery.make_link()
        headers = [("requestToken", token), ("requestToken", token)]
        async with site.client() as client:
            answer = await client.put("/api/User/authpsw", json={"psw": NEW}, headers=headers)
        assert answer.status_code == 401

    @pytest.mark.parametrize(
        ("password", "words"),
        [
            ("short", "at least 12 characters"),
            ("x" * 300, "at most 256 characters"),
            ("abcdefghijklmnop", "neighbouring"),
            ("with a bell \x07 in the middle", "control characters"),
            (OLD, "your last 4"),
        ],
    )
    async def test_a_weak_one_is_explained_and_burns_nothing(
        self, site: Site, password: str, words: str
    ):
        token, _ = await site.recovery.make_link()

        answer = await set_password(site, token, password)

        assert answer.status_code == 400
        assert words in answer.json()["responseData"]["explanation"]
        assert (await set_password(site, token)).status_code == 200

    async def test_all_weaknesses_are_listed(self, site: Site):
        token, _ = await site.recovery.make_link()

        answer = await set_password(site, token, "active1")

        explanation = answer.json()["responseData"]["explanation"]
        assert "your e-mail address" in explanation
        assert "at least 12 characters" in explanation

    async def test_a_full_queue_is_a_503_that_burns_nothing(
        self, recovery: Recovery, interrupted: MeanwhileHasher
    ):
        site = Site(recovery)
        token, _ = await recovery.make_link()

        async def be_full() -> None:
            raise HashingBusy

        interrupted.meanwhile = be_full
        answer = await set_password(site, token)

        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert (await set_password(site, token)).status_code == 200
        await site.close()


MALFORMED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "application/json"),
    "no object": (b"[]", "application/json"),
    "null": (b"null", "application/json"),
    "no JSON": (b"{", "application/json"),
    "trailing data": (b'{"psw": "%s"} {}' % NEW.encode(), "application/json"),
    "wrong type": (b'{"psw": 12345678901234}', "application/json"),
    "absent": (b"{}", "application/json"),
    "null password": (b'{"psw": null}', "application/json"),
    "named twice": (b'{"psw": "a", "psw": "%s"}' % NEW.encode(), "application/json"),
    "another name twice": (b'{"x": 1, "x": 2, "psw": "%s"}' % NEW.encode(), "application/json"),
    "deep": (b'{"x": ' + b"[" * 5000 + b"]" * 5000 + b"}", "application/json"),
    "large": (b'{"psw": "%s"}' % (b"a" * 20_000), "application/json"),
    "UTF-16": (f'{{"psw": "{NEW}"}}'.encode("utf-16"), "application/json"),
    "Latin-1": (b'{"psw": "caf\xe9 terraces of the town"}', "application/json"),
    "a form": (b"psw=" + NEW.encode(), "application/x-www-form-urlencoded"),
    "text": (b'{"psw": "%s"}' % NEW.encode(), "text/plain"),
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_malformed_bodies_are_a_400_and_burn_nothing(site: Site, case: str):
    body, content_type = MALFORMED[case]
    token, _ = await site.recovery.make_link()
    application = await site.add_token()

    async with site.client(headers={"Content-Type": content_type}) as client:
        for method, path, holder in [
            ("PUT", "/api/User/authpsw", token),
            ("POST", "/api/User/auth/null", application),
        ]:
            headers = {"requestToken": holder}
            answer = await client.request(method, path, content=body, headers=headers)
            assert answer.status_code == 400
            assert answer.json()["responseCode"] == 400

    assert (await set_password(site, token)).status_code == 200


class TestLimits:
    async def test_a_flood_from_one_address(self, site: Site):
        token, _ = await site.recovery.make_link()
        site.limited[CLIENT] = 3.2
        async with site.client(token) as client:
            answers = [
                await client.put("/api/User/authpsw", json={"psw": NEW}),
                await client.post("/api/User/auth/null", json=credentials()),
                await client.post("/api/User/authrefresh"),
                await client.get("/api/User/authlogout"),
            ]
        assert [one.status_code for one in answers] == [429] * 4
        assert {one.headers["retry-after"] for one in answers} == {"4"}

    async def test_a_flood_by_one_token(self, site: Site):
        application = await site.add_token()
        site.limited["1"] = 1.0
        assert (await log_in(site, application)).status_code == 429


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/User/authreset", "POST"),
        ("/api/User/authpsw", "PUT"),
        ("/api/User/auth/null", "POST"),
        ("/api/User/authrefresh", "POST"),
        ("/api/User/authlogout", "GET"),
        ("/api/v2/Token/serverside", "POST"),
    ],
)
async def test_other_methods_get_a_405_in_the_contracts_shape(site: Site, path: str, allowed: str):
    async with site.client() as client:
        answer = await client.request("DELETE", path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    msgspec.json.decode(answer.content)
    PayabliErrorBody(**answer.json())


def examples_of(node: object) -> Iterator[tuple[object, object]]:
    """Yield each example of a media type in the document with its schema."""
    if isinstance(node, dict):
        for content in node.get("content", {}).values():
            given = [one["value"] for one in content.get("examples", {}).values()]
            for value in [*given, *([content["example"]] if "example" in content else [])]:
                yield content["schema"], value
    for inner in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from examples_of(inner)


def test_the_examples_of_the_document_fit_its_schemas():
    examples = list(examples_of(OPENAPI))
    assert len(examples) > 30
    for schema, value in examples:
        OAS31Validator({**schema, "components": OPENAPI["components"]}).validate(value)


def test_the_document_is_a_valid_one():
    validate(OPENAPI)
