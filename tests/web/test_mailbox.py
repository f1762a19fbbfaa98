"""The development mailbox exists for whoever sits at this machine, and for nobody else."""

import pytest

from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import Template
from authreset.store.letters import NewLetter, add_letters
from tests.support.browser import assert_private, get
from tests.support.databases import EMAILS
from tests.support.recovery import Recovery
from tests.support.site import PUBLIC_URL, Site

EMAIL = EMAILS[UserStatus.ACTIVE]
LOCAL = "http://127.0.0.1:8000"


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
