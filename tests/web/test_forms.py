"""Whose forms are taken, and which can be read."""

import pytest

from authreset.rules.lockout import UserStatus
from tests.support.browser import assert_private, post
from tests.support.databases import EMAILS
from tests.support.recovery import NEW, OLD
from tests.support.site import PUBLIC_URL, Site

EMAIL = EMAILS[UserStatus.ACTIVE]
LOCAL = "http://127.0.0.1:8000"


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
