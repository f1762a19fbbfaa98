"""Whatever name a caller gives us, links begin with the configured address."""

import socket

import pytest

from tests.stories.house import House, unique_address

EVIL = "evil.example"
HEADERS = {
    "Host": EVIL,
    "X-Forwarded-Host": EVIL,
    "X-Forwarded-Server": EVIL,
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Prefix": f"//{EVIL}",
    "X-Original-Host": EVIL,
    "X-Host": EVIL,
    "X-Original-URL": f"https://{EVIL}/",
    "X-Rewrite-URL": f"https://{EVIL}/",
    "Forwarded": f"host={EVIL};proto=https",
    "Origin": f"https://{EVIL}",
    "Referer": f"https://{EVIL}/forgot",
    "X-Forwarded-For": EVIL,
}


@pytest.fixture
def email(house: House, request: pytest.FixtureRequest) -> str:
    email = unique_address(request.node.name)
    house.add_users([email])
    return email


def assert_safe(house: House, email: str) -> None:
    mail = house.await_mail(email)
    assert mail.links
    assert all(link.startswith(f"{house.service.url}/reset/") for link in mail.links)
    assert EVIL not in mail.text + mail.html + str(mail.message.items())


@pytest.mark.parametrize("header", [*HEADERS, "all"])
def test_header_never_changes_a_link(house: House, email: str, header: str):
    chosen = HEADERS if header == "all" else {header: HEADERS[header]}
    assert house.ask(email, **chosen).status_code == 200
    assert_safe(house, email)


@pytest.mark.parametrize("target", [f"http://{EVIL}/api/User/authreset", "//api/User/authreset"])
def test_neither_does_the_address_in_the_request_line(house: House, email: str, target: str):
    token = house.demo["organization_token"]
    body = f'{{"email": "{email}"}}'
    request = (
        f"POST {target} HTTP/1.1\r\nHost: {EVIL}\r\nrequestToken: {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"Connection: close\r\n\r\n{body}"
    )
    with socket.create_connection(("127.0.0.1", house.service.port), timeout=30) as connection:
        connection.sendall(request.encode())
        status = connection.makefile("rb").readline()
    if b" 200 " in status:
        assert_safe(house, email)
    else:
        assert b" 404 " in status


def test_page_asked_under_another_name_mails_our_link_or_none(house: House, email: str):
    """A page that was sent to itself under a lured name must not become the link's beginning."""
    with house.client(headers={"Host": EVIL}) as client:
        answer = client.post("/forgot", data={"entry": house.entry, "email": email})
        assert answer.status_code == 200
        assert EVIL not in answer.text
    assert_safe(house, email)
