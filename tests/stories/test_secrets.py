"""After a whole reset, nothing that is kept or logged holds a token, a password or a key."""

import base64
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.stories.house import House
from tests.stories.test_reset import NEW, OLD, log_in

EMAIL = "kept-quiet@example.com"


@pytest.fixture(scope="module")
def secrets(house: House) -> dict[str, str]:
    """Live through a reset with all that belongs to it, and return every secret that was told."""
    house.add_user(EMAIL, OLD)
    application = house.sdk(house.demo["application_token"])
    session = log_in(application, house, EMAIL, OLD)
    link = house.mail_link(EMAIL)
    token = link.rpartition("/")[2]
    house.sdk(token).user.change_psw_user(psw=NEW)
    second = log_in(application, house, EMAIL, NEW)
    with house.client() as client:  # and what people get wrong
        client.get(f"/reset/{token}x")
        client.get(f"/nothing/{token}")
        client.post("/api/User/authreset", json={"email": f"{NEW}@{token}"})
        client.post(f"/reset/{token}", data={"password": OLD})
        client.put("/api/User/authpsw", json={"psw": NEW, "x": token})
        client.post("/api/User/authreset", headers={"requestToken": token + "x"})
    with house.client(f"{second}x") as client:
        client.post("/api/User/authrefresh")
    house.await_mail(EMAIL, 2)
    house.wait_until_settled()
    return {
        "reset token": token,
        "first session": session,
        "second session": second,
        "organisation token": house.demo["organization_token"],
        "application token": house.demo["application_token"],
        "old password": OLD,
        "new password": NEW,
        "secret key": (house.service.data / "secret.key").read_text().strip(),
    }


def kept(house: House) -> Iterator[tuple[str, bytes]]:
    """Yield everything that is on disk but the key file, and what a backup would hold."""
    for path in house.service.data.rglob("*"):
        if path.is_file() and path.name != "secret.key":
            yield path.name, path.read_bytes()
    for path in house.service.home.glob("*.log"):
        yield path.name, path.read_bytes()
    with closing(sqlite3.connect(house.service.database)) as database:
        yield "dump", "\n".join(database.iterdump()).encode("utf-8", "replace")


def forms(secret: str) -> Iterator[bytes]:
    """Yield the forms in which a secret might lie about."""
    yield secret.encode()
    yield secret.encode().hex().encode()
    if re.fullmatch(r"([oaur]\.)?[A-Za-z0-9_-]{43,44}", secret):
        raw = base64.urlsafe_b64decode(secret.rpartition(".")[2] + "=")
        yield raw
        yield raw[2:26]  # the unpredictable part of a token
        yield raw[2:26].hex().encode()


def test_nothing_kept_holds_a_secret(house: House, secrets: dict[str, str]):
    found = [
        (place, name)
        for place, content in kept(house)
        for name, secret in secrets.items()
        for form in forms(secret)
        if form in content or form.upper() in content.upper()
    ]
    assert found == []


def test_search_would_find_one(house: House, secrets: dict[str, str]):
    """The proof is worth something only if what must be kept is found in the same way."""
    ((stored,),) = house.rows(f"SELECT password_hash FROM users WHERE email = '{EMAIL}'")
    for known in (EMAIL, stored):
        places = {place for place, content in kept(house) if known.encode() in content}
        assert "dump" in places
        assert places & {"authreset.db", "authreset.db-wal"}


def test_log_holds_no_address_either(house: House, secrets: dict[str, str]):
    log = house.service.log()
    assert "requests_settled" in log
    assert EMAIL not in log


def test_key_file_is_for_its_owner_alone(house: House):
    key = house.service.data / "secret.key"
    assert key.stat().st_mode & 0o077 == 0
    assert house.service.data.stat().st_mode & 0o077 == 0
