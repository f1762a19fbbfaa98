"""Nothing acknowledged is lost: not with a mail server gone for hours, not with kill -9."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from json import dumps
from threading import Event, Lock

import httpx
import pytest

from tests.stories.conftest import open_house
from tests.stories.house import House
from tests.support.server import wait_until
from tests.support.smtp import CapturedMail

SEED = 20261123
CALLERS = 6


@pytest.fixture(scope="module")
def busy_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Serve an installation that limits no caller."""
    home = tmp_path_factory.mktemp("busy")
    with open_house(home, limit_address="off", limit_token="off") as house:
        yield house


def test_outage_of_the_mail_server_delays_and_loses_nothing(busy_house: House):
    house = busy_house
    emails = [f"waiting{n}@example.com" for n in range(40)]
    house.add_users(emails)
    house.smtp.stop()
    with house.client() as client:
        for email in [*emails, "nobody@example.com", *emails[:5]]:
            answer = client.post("/api/User/authreset", json={"email": email})
            assert answer.status_code == 200
    wait_until(lambda: count(house, "requests WHERE outcome IS NULL") == 0, house.service.log)
    assert house.smtp.mails == []
    house.smtp.start()
    for email in emails:
        link = house.await_mail(email).links[0]
        assert httpx.get(link).status_code == 200
    house.wait_until_settled()
    assert len(house.smtp.mails) == len(emails)


def count(house: House, of: str) -> int:
    ((found,),) = house.rows(f"SELECT count(*) FROM {of}")
    return int(found)


class Crowd:
    """Callers that ask for many users at once, and note what was acknowledged."""

    def __init__(self, house: House, emails: list[str]) -> None:
        self._port = house.service.port
        self._headers = {
            "requestToken": house.demo["organization_token"],
            "Content-Type": "application/json",
        }
        self._emails = list(reversed(emails))
        self._lock = Lock()
        self.acknowledged: dict[str, list[str]] = defaultdict(list)
        self.done = Event()

    def reached(self, number: int) -> bool:
        """Tell whether so many requests were acknowledged."""
        return sum(map(len, self.acknowledged.values())) >= number

    def run(self) -> None:
        """Ask for everybody; what fails is asked again, as the SDKs do."""
        with ThreadPoolExecutor(CALLERS) as callers:
            list(callers.map(lambda _: self._call_on(), range(CALLERS)))
        self.done.set()

    def _call_on(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        while (email := self._next()) is not None:
            try:
                connection.request(
                    "POST", "/api/User/authreset", dumps({"email": email}), self._headers
                )
                answer = connection.getresponse()
                answer.read()
            except (OSError, HTTPException):
                connection.close()
                self._put_back(email)
                continue
            assert answer.status in (200, 503), answer.status
            if answer.status == 503:
                self._put_back(email)
            else:
                request_id = str(answer.headers["x-request-id"])
                with self._lock:
                    self.acknowledged[email].append(request_id)
        connection.close()

    def _next(self) -> str | None:
        with self._lock:
            return self._emails.pop() if self._emails else None

    def _put_back(self, email: str) -> None:
        with self._lock:
            self._emails.insert(0, email)


@pytest.mark.timeout(300)  # two crashes leave letters to leases that have to run out
def test_kill_9_under_load_loses_nothing_that_was_acknowledged(busy_house: House):
    house = busy_house
    users = [f"user{n}@example.com" for n in range(600)]
    chance = random.Random(SEED)
    asked = users + chance.sample(users, 150) + [f"nobody{n}@example.com" for n in range(250)]
    chance.shuffle(asked)
    house.add_users(users)
    sent_before = len(house.smtp.mails)

    crowd = Crowd(house, asked)
    with ThreadPoolExecutor(1) as background:
        crowding = background.submit(crowd.run)
        for milestone in (250, 600):
            wait_until(lambda milestone=milestone: crowd.reached(milestone), house.service.log)
            house.service.kill9()
            house.service.start()
        crowding.result(120)
    house.wait_until_settled()

    kept = {str(id_).replace("-", "") for (id_,) in house.rows("SELECT id FROM requests")}
    told = {id_.replace("-", "") for ids in crowd.acknowledged.values() for id_ in ids}
    assert len(told) == len(asked), f"seed {SEED}"
    assert told <= kept, f"seed {SEED}"

    mails = house.smtp.mails[sent_before:]
    mailed = Counter(mail.recipients[0] for mail in mails)
    assert sorted(mailed) == sorted(users), f"seed {SEED}"
    accepted = "letters WHERE state = 'accepted' AND template = 'reset'"
    recipients = {row[0] for row in house.rows(f"SELECT recipient FROM {accepted}")}
    assert recipients >= set(users), f"seed {SEED}"
    live = house.rows("SELECT count(*) FROM resets WHERE ended_at IS NULL GROUP BY user_id")
    assert set(live) == {(1,)}
    assert_repeats_are_recognisable(mails)


def assert_repeats_are_recognisable(mails: list[CapturedMail]) -> None:
    """A mail that a crash made go out twice has one Message-ID and one link."""
    seen: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for mail in mails:
        seen[mail.recipients[0]].add((str(mail.message["Message-ID"]), mail.links[0]))
    assert [email for email, kinds in seen.items() if len(kinds) > 1] == []
