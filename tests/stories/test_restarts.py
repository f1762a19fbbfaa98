"""Processes come and go; what was set up, asked and mailed stays."""

import os
import signal

import httpx
import pytest

from tests.stories.house import House, unique_address
from tests.stories.test_reset import NEW
from tests.support.server import wait_until

TABLES = ("entities", "users", "roles", "api_tokens", "requests", "resets", "letters", "events")


@pytest.fixture
def email(own_house: House, request: pytest.FixtureRequest) -> str:
    """Add a user of this story's own."""
    email = unique_address(request.node.name)
    own_house.add_users([email])
    return email


def everything(house: House) -> dict[str, list[tuple[object, ...]]]:
    return {table: house.rows(f"SELECT * FROM {table} ORDER BY 1") for table in TABLES}


def test_second_start_keeps_all_data_and_the_key(own_house: House, email: str):
    house = own_house
    link = house.mail_link(email)
    house.wait_until_settled()
    key = (house.service.data / "secret.key").read_bytes()
    before = everything(house)

    house.service.terminate()
    assert not list(house.service.data.glob("*-wal")), "the database was not closed"
    house.service.start()

    assert everything(house) == before
    assert (house.service.data / "secret.key").read_bytes() == key
    token = link.rpartition("/")[2]
    assert house.sdk(token).user.change_psw_user(psw=NEW).is_success
    assert house.can_log_in(email, NEW)


def test_second_demo_gives_the_same_tokens_and_adds_nothing(own_house: House):
    before = {name: len(rows) for name, rows in everything(own_house).items()}
    again = own_house.service.run("demo")
    assert again["organization_token"] == own_house.demo["organization_token"]
    assert again["application_token"] == own_house.demo["application_token"]
    assert {name: len(rows) for name, rows in everything(own_house).items()} == before


def test_child_that_dies_is_started_again(own_house: House, email: str):
    house = own_house
    supervisor, *children = house.service.processes()
    assert len(children) == 2
    for child in children:
        os.kill(child, signal.SIGKILL)

    def is_whole() -> bool:
        now = house.service.processes()
        return len(now) == 3 and now[0] == supervisor and not set(children) & set(now)

    wait_until(is_whole, house.service.log)
    house.service.wait_until_ready()
    assert httpx.get(house.mail_link(email)).status_code == 200


def test_children_end_when_their_supervisor_was_killed(own_house: House):
    house = own_house
    supervisor, *_ = house.service.processes()
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: house.service.processes() == [], house.service.log)
    house.service.kill9()
    house.service.start()  # on the same port, which they gave back


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_everything_in_good_order(own_house: House, number: signal.Signals):
    house = own_house
    stops = len(house.service.events("worker_stopped"))
    house.wait_until_worker_started()
    supervisor, *_ = house.service.processes()
    os.kill(supervisor, number)
    wait_until(lambda: house.service.processes() == [], house.service.log)
    assert len(house.service.events("worker_stopped")) == stops + 1
    assert not list(house.service.data.glob("*-wal"))
    assert "Traceback" not in house.service.log()


def test_worker_may_run_on_its_own(own_house: House, email: str):
    house = own_house
    house.service.terminate()
    house.service.start("--no-worker")
    assert house.ask(email).status_code == 200
    assert house.mails_to(email) == []
    house.service.start_worker()
    assert house.await_mail(email).links
