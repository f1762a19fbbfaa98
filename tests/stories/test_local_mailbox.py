"""Without a mail server, letters are shown on a page: to whoever sits here, and to nobody else."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.stories.house import House
from tests.stories.test_reset import NEW
from tests.support.server import Service, service, wait_until
from tests.support.smtp import SmtpServer

EMAIL = "ada@example.com"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Serve without a mail server."""
    with service(tmp_path_factory.mktemp("alone")) as installed:
        house = House(installed, installed.run("demo"), SmtpServer())
        installed.start()
        yield house
        house.hang_up()
        house.smtp.close()


def letters(installed: Service) -> list[dict[str, str]]:
    found: list[dict[str, str]] = httpx.get(f"{installed.url}/mailbox.json").json()["letters"]
    return found


def test_link_in_the_mailbox_works(alone: House):
    assert alone.ask(EMAIL).status_code == 200
    wait_until(lambda: [one["state"] for one in letters(alone.service)] == ["accepted"])
    (letter,) = letters(alone.service)
    assert letter["recipient"] == EMAIL
    (link,) = [line for line in letter["text"].split() if "/reset/" in line]
    assert link in httpx.get(f"{alone.service.url}/mailbox").text
    token = link.rpartition("/")[2]
    assert alone.sdk(token).user.change_psw_user(psw=NEW).is_success


@pytest.mark.parametrize("path", ["/mailbox", "/mailbox.json"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"X-Forwarded-For": "203.0.113.1"},
        {"Forwarded": "for=203.0.113.1"},
        {"Via": "1.1 proxy"},
    ],
)
def test_nobody_else_sees_it(alone: House, path: str, headers: dict[str, str]):
    assert httpx.get(f"{alone.service.url}{path}", headers=headers).status_code == 404
    assert httpx.get(f"{alone.service.url}{path}").status_code == 200


def test_start_says_loudly_that_no_letter_leaves(alone: House):
    assert "NO MAIL SERVER" in alone.service.log()
    wait_until(lambda: alone.service.events("no_mail_server"), alone.service.log)


def test_with_a_public_address_there_is_no_mailbox_and_letters_wait(tmp_path: Path):
    public = "https://accounts.example.com"
    with service(tmp_path, public_url=public) as installed:
        house = House(installed, installed.run("demo"), SmtpServer())
        installed.start()
        assert house.ask(EMAIL).status_code == 200
        wait_until(lambda: house.rows("SELECT count(*) FROM letters") == [(1,)], installed.log)
        for path in ("/mailbox", "/mailbox.json"):
            assert httpx.get(f"{installed.url}{path}").status_code == 404
        (state,) = house.rows("SELECT state FROM letters")
        assert state != ("accepted",)
        house.smtp.close()


def test_with_a_mail_server_there_is_no_mailbox(house: House):
    for path in ("/mailbox", "/mailbox.json"):
        assert httpx.get(f"{house.service.url}{path}").status_code == 404
