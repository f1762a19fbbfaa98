"""Several processes on PostgreSQL, each with the least rights: the request path reads no user."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.stories.house import House
from tests.stories.test_reset import NEW
from tests.support.postgres import PostgresServer
from tests.support.server import service, wait_until
from tests.support.smtp import SmtpServer

EMAIL = "ada@example.com"


@pytest.fixture
def fleet(postgres: PostgresServer, tmp_path: Path) -> Iterator[House]:
    """Run two web processes and a worker on a database that knows them apart."""
    name = f"fleet_{uuid.uuid4().hex}"
    owner = postgres.create_database(name)
    with (
        SmtpServer() as smtp,
        service(tmp_path, database_url=owner, smtp_url=smtp.url(starttls="off")) as installed,
    ):
        installed.run("migrate", "--roles")
        house = House(installed, installed.run("demo"), smtp)
        installed.settings |= {
            "public_url": installed.url,
            "database_url": postgres.url(name, user="authreset_app"),
            "intake_database_url": postgres.url(name, user="authreset_intake"),
        }
        installed.start("--processes", "2", "--no-worker")
        installed.start_worker(database_url=postgres.url(name, user="authreset_worker"))
        yield house
        house.hang_up()
    postgres.drop_database(name)


def test_whole_way_with_the_least_rights(fleet: House, postgres: PostgresServer):
    # Two supervisors, two web processes, one worker.
    wait_until(lambda: len(fleet.service.processes()) == 5, fleet.service.log)
    link = fleet.mail_link(EMAIL)
    assert httpx.get(link).status_code == 200
    token = link.rpartition("/")[2]
    assert fleet.sdk(token).user.change_psw_user(psw=NEW).is_success
    assert fleet.can_log_in(EMAIL, NEW)
    assert "was changed" in fleet.await_mail(EMAIL, 2).message["Subject"]
    asked = "SELECT has_any_column_privilege('authreset_intake', 'users', 'SELECT')"
    name = fleet.service.settings["database_url"].rpartition("/")[2]
    assert postgres.execute(asked, database=name) is False
