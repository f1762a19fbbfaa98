"""The hosted pages over HTTP: opening changes nothing, and nothing tells who exists."""

import re
from html import unescape

import pytest

from authreset.hashing import HashingBusy
from authreset.rules.lockout import UserStatus
from authreset.rules.tokens import TokenKind, new_token
from authreset.store.database import StoreUnavailable
from authreset.store.entities import change_settings
from tests.support.browser import assert_private, everything, get, post
from tests.support.databases import EMAILS
from tests.support.recovery import CLIENT, NEW, OLD, MeanwhileHasher, Recovery
from tests.support.site import Site

EMAIL = EMAILS[UserStatus.ACTIVE]
LOCAL = "http://127.0.0.1:8000"


class TestForgot:
    async def test_the_form_knows_its_entry(self, site: Site):
        page = await get(site, "/forgot?entry=8cfec329267")
        assert page.status_code == 200
        assert_private(page)
        assert 'name="entry" value="8cfec329267"' in page.text

    @pytest.mark.parametrize("entry", ["", "nowhere", "pil%00grim", "x" * 101, "%ff"])
    async def test_an_unknown_entry_is_a_404(self, site: Site, entry: str):
        for page in (
            await get(site, f"/forgot?entry={entry}"),
            await post(site, "/forgot", {"email": EMAIL, "entry": entry}),
        ):
            assert page.status_code == 404
            assert_private(page)
        assert await site.recorded() == []

    async def test_records_a_request(self, site: Site):
        page = await post(site, "/forgot", {"email": f"  {EMAIL}\n", "entry": "8cfec329267"})

        assert page.status_code == 200
        assert_private(page)
        (row,) = await site.recorded()
        assert (row["source"], row["email"], row["token_id"]) == ("page", EMAIL, None)
        assert row["entity_id"] == site.recovery.tree.shop.id
        assert row["root_id"] == site.recovery.tree.root.id
        assert (row["client_address"], row["received_at"]) == (CLIENT, site.recovery.clock())

    async def test_the_answer_is_the_same_for_known_and_unknown(self, site: Site):
        known = await post(site, "/forgot", {"email": EMAIL, "entry": "pilgrim"})
        unknown = await post(site, "/forgot", {"email": "x" + EMAIL, "entry": "pilgrim"})

        assert known.text == unknown.text.replace("x" + EMAIL, EMAIL)
        assert len(await site.recorded()) == 2

    async def test_an_invalid_address_comes_back_with_what_was_typed(self, site: Site):
        typed = '"><script>alert(1)</script>@example.com'
        page = await post(site, "/forgot", {"email": typed, "entry": "pilgrim"})

        assert page.status_code == 400
        assert "<script>alert" not in page.text
        assert typed in unescape(page.text)
        assert "Enter an e-mail address" in page.text
        assert await site.recorded() == []

    async def test_a_flood(self, site: Site):
        site.limited[CLIENT] = 4.0
        page = await post(site, "/forgot", {"email": EMAIL, "entry": "pilgrim"})
        assert (page.status_code, page.headers["retry-after"]) == (429, "4")
        assert "4 seconds" in page.text
        assert await site.recorded() == []

    async def test_what_cannot_be_recorded_is_not_claimed(self, recovery: Recovery):
        async def fail(_rows: object) -> None:
            raise StoreUnavailable

        site = Site(recovery, append=fail)
        page = await post(site, "/forgot", {"email": EMAIL, "entry": "pilgrim"})
        await site.close()

        assert page.status_code == 503
        assert "retry-after" in page.headers
        assert "Nothing was changed" in page.text


class TestReset:
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    async def test_opening_changes_nothing(self, site: Site, method: str):
        token, _ = await site.recovery.make_link()
        before = await everything(site)

        async with site.client() as client:
            for _ in range(3):
                page = await client.request(method, f"/reset/{token}")
                assert page.status_code == 200
                assert_private(page)

        assert await everything(site) == before

    async def test_the_form_leads_to_the_new_password(self, site: Site):
        token, _ = await site.recovery.make_link()
        form = await get(site, f"/reset/{token}")
        action = re.search(r'<form method="post" action="([^"]+)"', form.text)
        assert action is not None
        assert EMAIL in form.text

        done = await post(site, action[1], {"username": EMAIL, "password": NEW})

        assert done.status_code == 200
        assert_private(done)
        assert "set-cookie" not in done.headers
        assert await site.recovery.has_password(NEW)

    async def test_says_where_to_sign_in(self, site: Site):
        recovery = site.recovery
        settings = {"sign_in_url": "https://pilgrim.example/sign-in", "accent": "#1F5FBF"}
        async with recovery.database.begin() as tx:
            await change_settings(tx, recovery.tree.root.id, settings)
        token, _ = await recovery.make_link()

        done = await post(site, f"/reset/{token}", {"password": NEW})

        assert 'href="https://pilgrim.example/sign-in"' in done.text
        assert "/assets/accent-1f5fbf.css" in done.text

    async def test_a_weak_password_comes_back_with_the_reasons(self, site: Site):
        token, _ = await site.recovery.make_link()

        page = await post(site, f"/reset/{token}", {"password": "short"})

        assert page.status_code == 400
        assert_private(page)
        assert "at least 12 characters" in page.text
        assert 'value="short"' not in page.text
        assert (await post(site, f"/reset/{token}", {"password": NEW})).status_code == 200

    async def test_two_passwords_must_be_alike(self, site: Site):
        token, _ = await site.recovery.make_link()
        form = {"password": NEW, "password_again": NEW + "x"}

        page = await post(site, f"/reset/{token}", form)

        assert page.status_code == 400
        assert "not the same" in page.text
        assert await site.recovery.has_password(OLD)
        form["password_again"] = NEW
        assert (await post(site, f"/reset/{token}", form)).status_code == 200

    async def test_used_and_expired_links_are_one_page_with_a_way_on(self, site: Site):
        recovery = site.recovery
        used, _ = await recovery.make_link()
        await post(site, f"/reset/{used}", {"password": NEW})
        expired, _ = await recovery.make_link()
        recovery.clock.advance(hours=2)

        pages = [
            page
            for token in (used, expired)
            for page in (
                await get(site, f"/reset/{token}"),
                await post(site, f"/reset/{token}", {"password": NEW}),
            )
        ]

        assert {page.status_code for page in pages} == {404}
        assert len({page.text for page in pages}) == 1
        assert 'href="/forgot?entry=8cfec329267"' in pages[0].text

    async def test_unknown_links_get_that_page_too(self, site: Site):
        recovery = site.recovery
        unknown = new_token(TokenKind.RESET, recovery.keyring, recovery.random_bytes)
        pages = [await get(site, f"/reset/{token}") for token in (unknown, "garbage", "%00%ff")]
        assert {page.status_code for page in pages} == {404}
        assert len({page.text for page in pages}) == 1
        assert "This link no longer works" in pages[0].text
        assert_private(pages[0])

    async def test_a_flood(self, site: Site):
        token, _ = await site.recovery.make_link()
        site.limited[CLIENT] = 4.0
        assert (await post(site, f"/reset/{token}", {"password": NEW})).status_code == 429
        assert (await get(site, f"/reset/{token}")).status_code == 200

    async def test_a_full_queue_of_hashes(self, recovery: Recovery, interrupted: MeanwhileHasher):
        site = Site(recovery)
        token, _ = await recovery.make_link()

        async def be_full() -> None:
            raise HashingBusy

        interrupted.meanwhile = be_full
        page = await post(site, f"/reset/{token}", {"password": NEW})

        assert page.status_code == 503
        assert "Nothing was changed" in page.text
        assert (await post(site, f"/reset/{token}", {"password": NEW})).status_code == 200
        await site.close()
