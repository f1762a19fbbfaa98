"""The calls that complete a reset and prove it, as programs see them.

Each answer is held to the OpenAPI document as well (`tests.support.site`).
"""

from collections.abc import Iterator

import httpx
import msgspec
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from payabli.types.change_psw_user_response import ChangePswUserResponse
from payabli.types.payabli_api_response_mfa_basic import PayabliApiResponseMfaBasic
from payabli.types.payabli_api_response_user_mfa import PayabliApiResponseUserMfa
from payabli.types.payabli_error_body import PayabliErrorBody

from authreset.hashing import HashingBusy
from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import TokenMode
from authreset.rules.tokens import TokenKind, new_token
from authreset.web.documents import OPENAPI
from tests.support.databases import EMAILS
from tests.support.recovery import CLIENT, NEW, OLD, MeanwhileHasher, Recovery
from tests.support.site import Site

EMAIL = EMAILS[UserStatus.ACTIVE]
SUCCESS = {"isSuccess": True, "responseText": "Success"}


def credentials(**changes: object) -> dict[str, object]:
    return {"email": EMAIL, "psw": OLD, **changes}


async def set_password(site: Site, token: str | None, password: object = NEW) -> httpx.Response:
    async with site.client(token) as client:
        return await client.put("/api/User/authpsw", json={"psw": password})


async def log_in(site: Site, token: str | None, **changes: object) -> httpx.Response:
    async with site.client(token) as client:
        return await client.post("/api/User/auth/null", json=credentials(**changes))


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


class TestLoggingIn:
    async def test_answers_what_the_sdk_reads(self, site: Site):
        application = await site.add_token()

        answer = await log_in(site, application, entry="pilgrim", entryType=0)

        read = PayabliApiResponseMfaBasic(**answer.json())
        assert (read.is_success, read.mfa, read.mfa_mode) == (True, False, None)
        assert read.response_data is not None
        assert read.response_data.startswith("u.")
        assert await site.recovery.has_session(read.response_data)

    async def test_every_refusal_is_the_same_401(self, site: Site):
        application = await site.add_token()
        causes = {
            "wrong": {"psw": "nine wrong umbrellas"},
            "unknown": {"email": "nobody@example.com"},
            **{
                status.name: {"email": EMAILS[status]}
                for status in (UserStatus.INACTIVE, UserStatus.LOCKED, UserStatus.DELETED)
            },
            "out of scope": {"entry": "stall", "entryType": 2},
        }

        answers = {name: await log_in(site, application, **one) for name, one in causes.items()}

        assert {one.status_code for one in answers.values()} == {401}
        assert len({one.content for one in answers.values()}) == 1
        PayabliErrorBody(**answers["wrong"].json())

    async def test_ten_failures_lock_and_a_reset_unlocks(self, site: Site):
        application = await site.add_token()
        for _ in range(10):
            assert (await log_in(site, application, psw="wrong")).status_code == 401
        assert (await log_in(site, application)).status_code == 401

        token, _ = await site.recovery.make_link()
        assert (await set_password(site, token)).status_code == 200

        assert (await log_in(site, application, psw=NEW)).status_code == 200

    @pytest.mark.parametrize(
        ("kind", "options", "status"),
        [
            (TokenKind.APPLICATION, {}, 200),
            (TokenKind.APPLICATION, {"permissions": ("login",)}, 200),
            (TokenKind.APPLICATION, {"permissions": ("authreset",)}, 403),
            (TokenKind.APPLICATION, {"mode": TokenMode.PUBLIC}, 403),
            (TokenKind.ORGANIZATION, {}, 403),
        ],
    )
    async def test_needs_a_private_application_token(
        self, site: Site, kind: TokenKind, options: dict[str, object], status: int
    ):
        token = await site.add_token(kind, **options)  # type: ignore[arg-type]  # a table
        assert (await log_in(site, token)).status_code == status

    async def test_a_session_token_may_not(self, site: Site):
        session = await site.recovery.open_session()
        assert (await log_in(site, session)).status_code == 403

    async def test_a_reset_token_is_no_token_here(self, site: Site):
        token, _ = await site.recovery.make_link()
        assert (await log_in(site, token)).status_code == 401
        assert (await log_in(site, None)).status_code == 401

    @pytest.mark.parametrize(
        "changes",
        [
            {"email": None},
            {"psw": None},
            {"email": "no address"},
            {"email": "a@example.com\x00"},
            {"email": 5},
            {"entry": "pilgrim"},
            {"entryType": 0},
            {"entry": "pilgrim", "entryType": 1},
            {"entry": "pilgrim", "entryType": 2},
            {"entry": "pilgrim", "entryType": "0"},
            {"entry": "meridian", "entryType": 0},
            {"entry": "", "entryType": 0},
            {"entry": "pil\x00grim", "entryType": 0},
            {"entry": "x" * 101, "entryType": 0},
        ],
    )
    async def test_questions_that_are_not_well_formed(self, site: Site, changes: dict[str, object]):
        answer = await log_in(site, await site.add_token(), **changes)
        assert answer.status_code == 400

    async def test_other_fields_of_the_contract_are_ignored(self, site: Site):
        more = {"userId": 7, "userTokenId": None, "unheard": {"of": []}}
        assert (await log_in(site, await site.add_token(), **more)).status_code == 200

    async def test_the_token_of_a_sub_organisation_reaches_its_own_tree_only(self, site: Site):
        tree = site.recovery.tree
        token = await site.add_token(entity=tree.sub)

        assert (await log_in(site, token)).status_code == 401  # a role at the shop, beside it
        outside = await log_in(site, token, entry="8cfec329267", entryType=2)
        assert outside.status_code == 400


class TestSessions:
    async def test_refreshing_answers_what_the_sdk_reads(self, site: Site):
        session = await site.recovery.open_session()
        async with site.client(session) as client:
            answer = await client.post("/api/User/authrefresh")
            again = await client.post("/api/User/authrefresh")

        read = PayabliApiResponseUserMfa(**answer.json())
        assert (read.remaining, read.inactive_token_time) == (120, 31)
        assert await site.recovery.has_session(str(read.response_data))
        assert again.status_code == 401

    async def test_a_session_is_over_after_two_hours(self, site: Site):
        session = await site.recovery.open_session()
        site.recovery.clock.advance(minutes=120)
        assert (await set_password(site, session)).status_code == 401

    async def test_logging_out(self, site: Site):
        session = await site.recovery.open_session()
        async with site.client(session) as client:
            assert (await client.head("/api/User/authlogout")).status_code == 405
            assert (await client.get("/api/User/authlogout")).json() == SUCCESS
            assert (await client.get("/api/User/authlogout")).status_code == 401

    async def test_other_tokens_are_none_here(self, site: Site):
        link, _ = await site.recovery.make_link()
        for token in (None, link, await site.add_token()):
            async with site.client(token) as client:
                assert (await client.post("/api/User/authrefresh")).status_code == 401
                assert (await client.get("/api/User/authlogout")).status_code == 401


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
