"""Mail scanners, link previews and curious machines open a link; it still works afterwards."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from payabli import UnauthorizedError

from tests.stories.house import House
from tests.stories.test_reset import NEW

AGENTS = (
    "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1) SafeLinks",
    "Barracuda Sentinel (EE)",
    "Mozilla/5.0 (compatible; Proofpoint URL Defense)",
    "Slackbot-LinkExpanding 1.0",
    "WhatsApp/2.23",
    "GoogleImageProxy",
)
EMAIL = "scanned@example.com"


def open_link(link: str, place: int) -> int:
    """Open a link as a machine does: with GET or HEAD, over a connection of its own."""
    method = "HEAD" if place % 3 == 0 else "GET"
    headers = {"User-Agent": AGENTS[place % len(AGENTS)], "Purpose": "prefetch"}
    with httpx.Client(headers=headers, follow_redirects=True, timeout=30) as client:
        return client.request(method, link).status_code


def test_link_outlives_them(house: House):
    house.add_users([EMAIL])
    link = house.mail_link(EMAIL)
    house.wait_until_settled()
    before = everything(house)
    with ThreadPoolExecutor(8) as machines:
        statuses = list(machines.map(lambda place: open_link(link, place), range(50)))
    assert set(statuses) == {200}
    assert everything(house) == before
    token = link.rpartition("/")[2]
    assert house.sdk(token).user.change_psw_user(psw=NEW).is_success
    assert house.can_log_in(EMAIL, NEW)


def everything(house: House) -> dict[str, list[tuple[object, ...]]]:
    """Return all that may change when a link is used."""
    nouns = ("users", "resets", "letters", "sessions", "events", "requests", "password_history")
    return {noun: house.rows(f"SELECT * FROM {noun}") for noun in nouns}


def test_link_cut_off_by_a_mail_program_changes_nothing(house: House):
    link = house.mail_link("grace@example.com")
    for broken in (link[:-1], link + ".", link.replace("/r.", "/r"), link.lower()):
        assert httpx.get(broken).status_code == 404
        with pytest.raises(UnauthorizedError):
            house.sdk(broken.rpartition("/")[2]).user.change_psw_user(psw=NEW)
    assert httpx.get(link).status_code == 200
