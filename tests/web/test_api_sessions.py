"""Logging in, refreshing and logging out, as programs see them."""

import pytest
from payabli.types.payabli_api_response_mfa_basic import PayabliApiResponseMfaBasic
from payabli.types.payabli_api_response_user_mfa import PayabliApiResponseUserMfa
from payabli.types.payabli_error_body import PayabliErrorBody

from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import TokenMode
from authreset.rules.tokens import TokenKind
from tests.support.calls import SUCCESS, log_in, set_password
from tests.support.databases import EMAILS
from tests.support.recovery import NEW
from tests.support.site import Site


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
