"""The hosted pages over HTTP: opening changes nothing, forms do, and nothing tells who exists."""

import re
from html import unescape

import httpx
import pytest
from sqlalchemy import select

from authreset.hashing import HashingBusy
from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import Template
from authreset.rules.tokens import TokenKind, new_token
from authreset.store.database import StoreUnavailable
from authreset.store.entities import change_settings
from authreset.store.letters import NewLetter, add_letters
from authreset.store.tables import metadata
from authreset.web.assets import ASSETS, asset_url
from tests.support.databases import EMAILS
from tests.support.recovery import CLIENT, NEW, OLD, MeanwhileHasher, Recovery
from tests.support.site import PUBLIC_URL, Site

EMAIL = EMAILS[UserStatus.ACTIVE]
LOCAL = "http://127.0.0.1:8000"


async def get(site: Site, path: str, **options: object) -> httpx.Response:
    async with site.client(**options) as client:
        return await client.get(path, headers={"Accept": "text/html"})


async def post(site: Site, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with site.client() as client:
        return await client.post(path, data=form, headers={"Accept": "text/html"} | sent)


async def everything(site: Site) -> list[object]:
    async with site.recovery.database.read() as tx:
        return [
            [tuple(row) for row in await tx.execute(select(table))]
            for table in metadata.sorted_tables
        ]


def assert_private(page: httpx.Response) -> None:
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


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


OURS = [
    {},
    {"Sec_Fetch_Site": "same-origin"},
    {"Sec_Fetch_Site": "none"},
    {"Sec_Fetch_Site": "same-origin", "Origin": "null"},
    {"Origin": PUBLIC_URL},
    {"Origin": "null"},
    {"Origin": "http://other.example", "Host": "other.example"},
]
FOREIGN = [
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Sec_Fetch_Site": "cross-site", "Origin": PUBLIC_URL},
    {"Origin": "https://evil.example"},
    {"Origin": "https://accounts.example.com.evil.example"},
    {"Origin": "http://[oops"},
    {"Origin": ""},
]


@pytest.mark.parametrize("headers", OURS)
async def test_forms_of_our_own_pages_are_taken(site: Site, headers: dict[str, str]):
    page = await post(site, "/forgot", {"email": EMAIL, "entry": "pilgrim"}, **headers)
    assert page.status_code == 200


@pytest.mark.parametrize("headers", FOREIGN)
async def test_forms_of_other_sites_are_refused(site: Site, headers: dict[str, str]):
    token, _ = await site.recovery.make_link()
    for path, form in [
        ("/forgot", {"email": EMAIL, "entry": "pilgrim"}),
        (f"/reset/{token}", {"password": NEW}),
    ]:
        page = await post(site, path, form, **headers)
        assert page.status_code == 403
        assert_private(page)
    assert await site.recorded() == []
    assert await site.recovery.has_password(OLD)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"email": "a@example.com"}', "application/json"),
        (b"email=a@example.com&entry=pilgrim", "text/plain"),
        (b"email=a@example.com&email=b@example.com&entry=pilgrim", None),
        (b"email=%ff@example.com&entry=pilgrim", None),
        (b"email=\xff&entry=pilgrim", None),
        (b"a=1&" * 20, None),
        (b"email=" + b"a" * 20_000, None),
    ],
)
async def test_forms_that_cannot_be_read(site: Site, body: bytes, content_type: str | None):
    headers = {"Content-Type": content_type or "application/x-www-form-urlencoded"}
    async with site.client(headers=headers) as client:
        page = await client.post("/forgot", content=body)
    assert page.status_code == 400
    assert_private(page)
    assert await site.recorded() == []


async def test_no_header_reaches_a_link(site: Site):
    """Whatever name we are called by, pages lead to their own paths and to configured addresses."""
    token, _ = await site.recovery.make_link()
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    async with site.client(headers=headers) as client:
        for path in ("/forgot?entry=pilgrim", f"/reset/{token}", "/docs", "/reset/x"):
            assert "evil.example" not in (await client.get(path)).text


class TestDocuments:
    @pytest.mark.parametrize("name", sorted(ASSETS))
    async def test_an_asset_stays_for_ever_under_its_digest_only(self, site: Site, name: str):
        right = await get(site, asset_url(name))
        wrong = await get(site, f"/assets/{name}?v=0123456789abcdef")
        short = await get(site, f"/assets/{name}?v={ASSETS[name].digest[:1]}")

        assert right.content == wrong.content == ASSETS[name].body
        assert right.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert right.headers["content-type"] == ASSETS[name].content_type
        assert wrong.headers["cache-control"] == short.headers["cache-control"] == "no-cache"

    @pytest.mark.parametrize(
        "name", ["nothing.css", "__init__.py", "..%2Fviews.py", "accent-x.css"]
    )
    async def test_nothing_else_is_an_asset(self, site: Site, name: str):
        assert (await get(site, f"/assets/{name}")).status_code == 404

    async def test_the_reference_shows_the_document(self, site: Site):
        document = (await get(site, "/openapi.json")).json()
        page = (await get(site, "/docs")).text
        for path in document["paths"]:
            assert path in unescape(page)
        assert f"{PUBLIC_URL}/api/User/authreset" in page


@pytest.fixture
async def boxed(recovery: Recovery):
    site = Site(recovery, mailbox_shown=True)
    yield site
    await site.close()


async def queue_link(site: Site) -> tuple[str, str]:
    recovery = site.recovery
    token, reset = await recovery.make_link()
    letter = NewLetter(
        id=recovery.random_bytes.uuid(),
        template=Template.RESET,
        user_id=recovery.user_id,
        root_id=recovery.tree.root.id,
        entity_id=recovery.tree.shop.id,
        recipient=EMAIL,
        created_at=recovery.clock(),
        reset_id=reset.id,
    )
    async with recovery.database.begin() as tx:
        await add_letters(tx, [letter])
    return token, str(letter.id)


class TestMailbox:
    async def test_shows_the_letters_with_links_that_work(self, boxed: Site):
        token, letter_id = await queue_link(boxed)
        link = f"{PUBLIC_URL}/reset/{token}"

        page = await get(boxed, "/mailbox", peer="127.0.0.1", url=LOCAL)
        listed = (await get(boxed, "/mailbox.json", peer="127.0.0.1", url=LOCAL)).json()
        html = await get(boxed, f"/mailbox/{letter_id}.html", peer="::1", url="http://[::1]:8000")

        assert_private(page)
        assert link in page.text
        (letter,) = listed["letters"]
        assert link in letter["text"]
        assert (letter["id"], letter["recipient"]) == (letter_id, EMAIL)
        assert letter["htmlUrl"] == f"/mailbox/{letter_id}.html"
        assert link in html.text
        assert (
            "default-src 'none'; style-src 'unsafe-inline'"
            in (html.headers["content-security-policy"])
        )

    @pytest.mark.parametrize(
        ("peer", "base", "headers"),
        [
            ("203.0.113.9", LOCAL, {}),
            ("127.0.0.1", PUBLIC_URL, {}),
            ("127.0.0.1", "http://rebound.example:8000", {}),
            ("127.0.0.1", LOCAL, {"Host": "localhost.evil.example"}),
            ("127.0.0.1", LOCAL, {"Host": "127.0.0.1:8000:9"}),
            ("127.0.0.1", LOCAL, {"Host": ""}),
            ("127.0.0.1", LOCAL, {"X-Forwarded-For": "127.0.0.1"}),
            ("127.0.0.1", LOCAL, {"Forwarded": "for=127.0.0.1"}),
            ("127.0.0.1", LOCAL, {"Via": "1.1 proxy"}),
            ("127.0.0.1", LOCAL, {"X-Real-IP": "127.0.0.1"}),
        ],
    )
    async def test_exists_for_nobody_else(
        self, boxed: Site, peer: str, base: str, headers: dict[str, str]
    ):
        token, letter_id = await queue_link(boxed)
        async with boxed.client(peer=peer, url=base, headers=headers) as client:
            for path in ("/mailbox", "/mailbox.json", f"/mailbox/{letter_id}.html"):
                answer = await client.get(path)
                assert answer.status_code == 404
                assert token not in answer.text
                nothing = await client.get("/nothing")
                assert answer.json() == nothing.json()

    @pytest.mark.parametrize(
        "host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "[::1]", "[::1]:1"]
    )
    async def test_is_reached_by_the_names_of_this_machine(self, boxed: Site, host: str):
        options = {"peer": "127.0.0.1", "url": LOCAL, "headers": {"Host": host}}
        async with boxed.client(**options) as client:
            assert (await client.get("/mailbox")).status_code == 200

    async def test_is_not_there_once_letters_are_mailed(self, site: Site):
        assert (await get(site, "/mailbox", peer="127.0.0.1", url=LOCAL)).status_code == 404

    async def test_an_unknown_letter(self, boxed: Site):
        unknown = boxed.recovery.random_bytes.uuid()
        for name in (f"{unknown}.html", "x.html"):
            answer = await get(boxed, f"/mailbox/{name}", peer="127.0.0.1", url=LOCAL)
            assert answer.status_code == 404
