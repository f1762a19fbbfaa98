"""What is the same for everybody: assets, the OpenAPI document, the reference."""

from html import unescape

import pytest

from authreset.rules.lockout import UserStatus
from authreset.web.assets import ASSETS, asset_url
from tests.support.browser import get
from tests.support.databases import EMAILS
from tests.support.site import PUBLIC_URL, Site

EMAIL = EMAILS[UserStatus.ACTIVE]
LOCAL = "http://127.0.0.1:8000"


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
