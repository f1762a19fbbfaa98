"""How many new passwords one link and one user may bring: each costs work in the hashing thread."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import httpx
import pytest

from authreset.config import Settings
from authreset.rules.lockout import UserStatus
from authreset.rules.tokens import TokenKind, new_token
from authreset.web.parts import PASSWORDS_A_HOLDER
from authreset.wiring import open_web_parts
from tests.support.browser import assert_private, get, post
from tests.support.calls import set_password
from tests.support.recovery import NEW, OLD
from tests.support.site import PUBLIC_URL, Site

MOST = PASSWORDS_A_HOLDER.count


async def by_call(site: Site, token: str, password: str = NEW) -> httpx.Response:
    return await set_password(site, token, password)


async def by_page(site: Site, token: str, password: str = NEW) -> httpx.Response:
    return await post(site, f"/reset/{token}", {"password": password})


each_way = pytest.mark.parametrize("send", [by_call, by_page])


def statuses(answers: Sequence[httpx.Response]) -> list[int]:
    return [one.status_code for one in answers]


class TestOneLink:
    @each_way
    @pytest.mark.parametrize("password", [OLD, "too short"])
    async def test_brings_so_many_and_is_told_to_wait_and_burns_nothing(
        self, site: Site, send, password
    ):
        token, _ = await site.recovery.make_link()
        answers = [await send(site, token, password) for _ in range(MOST + 2)]
        assert statuses(answers) == [400] * MOST + [429] * 2
        assert await site.recovery.has_password(OLD)
        site.recovery.clock.advance(seconds=int(answers[-1].headers["retry-after"]))
        assert (await send(site, token)).status_code == 200
        assert await site.recovery.has_password(NEW)

    @each_way
    async def test_race_hashes_no_more_than_there_is(self, site: Site, send):
        token, _ = await site.recovery.make_link()
        answers = await asyncio.gather(*(send(site, token, OLD) for _ in range(3 * MOST)))
        assert Counter(statuses(answers)) == {400: MOST, 429: 2 * MOST}

    async def test_both_ways_take_from_the_same(self, site: Site):
        token, _ = await site.recovery.make_link()
        for send in (by_call, by_page) * (MOST // 2):
            await send(site, token, OLD)
        assert statuses([await by_call(site, token), await by_page(site, token)]) == [429] * 2

    async def test_keeps_nobody_else_waiting(self, site: Site):
        recovery = site.recovery
        first, _ = await recovery.make_link()
        second, _ = await recovery.make_link(user_id=recovery.tree.users[UserStatus.LOCKED])
        session = await recovery.open_session()
        for _ in range(MOST + 1):
            await by_call(site, first, OLD)
        assert statuses([await by_call(site, second), await by_call(site, session)]) == [200] * 2

    async def test_that_is_over_or_unknown_is_counted_alike(self, site: Site):
        """Or the answer would tell whether a token, once seen, still opens something."""
        recovery = site.recovery
        used, _ = await recovery.make_link()
        assert (await by_call(site, used)).status_code == 200
        unknown = new_token(TokenKind.RESET, recovery.keyring, recovery.random_bytes)
        recovery.clock.advance(seconds=PASSWORDS_A_HOLDER.period_seconds)
        seen = [
            statuses([await by_call(site, token) for _ in range(MOST + 1)])
            for token in (used, unknown)
        ]
        assert seen == [[401] * MOST + [429]] * 2

    async def test_may_be_opened_however_often(self, site: Site):
        token, _ = await site.recovery.make_link()
        pages = [await get(site, f"/reset/{token}") for _ in range(3 * MOST)]
        assert set(statuses(pages)) == {200}
        assert (await by_page(site, token)).status_code == 200

    async def test_that_is_none_is_not_counted(self, site: Site):
        pages = [await by_page(site, "r.made-up") for _ in range(MOST + 1)]
        assert statuses(pages) == [404] * (MOST + 1)

    async def test_is_not_charged_for_what_is_never_judged(self, site: Site):
        token, _ = await site.recovery.make_link()
        for _ in range(MOST):
            await post(site, f"/reset/{token}", {"password": NEW, "password_again": OLD})
            await set_password(site, token, None)
        assert (await by_page(site, token)).status_code == 200

    async def test_people_are_told_in_words(self, site: Site):
        token, _ = await site.recovery.make_link()
        for _ in range(MOST):
            await by_page(site, token, OLD)
        page = await by_page(site, token)
        assert_private(page)
        assert "Nothing was changed" in page.text
        assert f"Wait {page.headers['retry-after']} seconds" in page.text

    async def test_programs_are_told_in_the_contracts_shape(self, site: Site):
        token, _ = await site.recovery.make_link()
        for _ in range(MOST):
            await by_call(site, token, OLD)
        body = (await by_call(site, token)).json()
        assert (body["isSuccess"], body["responseCode"]) == (False, 429)
        assert "password" in body["responseData"]["explanation"]


class TestOneUser:
    async def test_has_one_over_all_sessions_and_burns_none(self, site: Site):
        """A session can be exchanged for another at no cost, so it is the user who is counted."""
        recovery = site.recovery
        sessions = [await recovery.open_session() for _ in range(2)]
        for _ in range(MOST):
            assert (await by_call(site, sessions[0], OLD)).status_code == 400
        async with site.client(sessions[0]) as client:
            renewed = (await client.post("/api/User/authrefresh")).json()["responseData"]
        answers = [await by_call(site, token) for token in (renewed, sessions[1])]
        assert statuses(answers) == [429] * 2
        recovery.clock.advance(seconds=int(answers[0].headers["retry-after"]))
        assert (await by_call(site, renewed)).status_code == 200

    async def test_who_floods_does_not_hold_up_a_link_of_the_same_account(self, site: Site):
        """Whoever got hold of a session must not keep its owner from ending it."""
        session = await site.recovery.open_session()
        token, _ = await site.recovery.make_link()
        for _ in range(MOST + 1):
            await by_call(site, session, OLD)
        assert (await by_call(site, token)).status_code == 200


async def test_the_allowance_is_wired(tmp_path):
    async with open_web_parts(Settings(data_dir=tmp_path), PUBLIC_URL) as parts:
        waits = [parts.limit_passwords("a link") for _ in range(MOST + 1)]
    assert waits[:MOST] == [0.0] * MOST
    assert waits[MOST] > 0.0
