"""No name can become a header or a recipient, judged by the octets that would be sent."""

import re
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from authreset.mail.headers import one_line
from authreset.mail.letters import Brand
from tests.mail.examples import ALICE, CHANGED, RESET, SENDER, mail
from tests.mail.test_rendering import HEADERS, received, text_of

FRAGMENTS = [
    "\r\nBcc: eve@evil.test\r\n",
    "\nBcc: eve@evil.test",
    "\rBcc: eve@evil.test",
    "\r\n\r\nbody",
    "\x00",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x85",
    "\u2028",
    "\u2029",
    "\u202e",
    "\ud800",
    "=?utf-8?q?=0ABcc:_eve@evil.test?=",
    "=?utf-8?b?DQpCY2M6IGV2ZUBldmlsLnRlc3Q=?=",
    "=?",
    "?=",
    ", eve@evil.test, ",
    "<eve@evil.test>",
    "eve@evil.test;",
    'a "quoted" \\ one',
    "(comment",
    "\u65e5\u672c\u8a9e",
    "word " * 20,
    "\U0001f600",
]
anything = st.characters(exclude_categories=())
hostile = st.lists(st.sampled_from(FRAGMENTS) | st.text(anything, max_size=8), max_size=8).map(
    "".join
)


def headers_of(octets):
    """Split the octets as RFC 5322 says and no more kindly."""
    assert b"\x00" not in octets
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", octets)
    head = octets.split(b"\r\n\r\n")[0].decode("ascii")
    lines = re.sub(r"\r\n(?=[ \t])", "", head).split("\r\n")
    assert all(len(line) <= 998 for line in head.split("\r\n"))
    return [tuple(re.fullmatch(r"([A-Za-z-]+): (.*)", line).groups()) for line in lines]


def decoded(value):
    return str(make_header(decode_header(value)))


@settings(deadline=None)
@given(hostile, hostile, st.sampled_from([RESET, CHANGED]))
@example("A" * 40 + ", eve@evil.test, " + "B" * 40, "x", RESET)
@example("=?utf-8?q?=0ABcc:_eve@evil.test?=", "=?utf-8?q?=0ABcc:_eve@evil.test?=", RESET)
def test_names_never_add_a_header_or_a_recipient(sender_name, brand_name, letter):
    message = mail(sender_name=sender_name, brand=Brand(brand_name), letter=letter)
    headers = headers_of(message.as_bytes())
    assert [name for name, _ in headers] == HEADERS
    values = dict(headers)
    assert values["To"] == ALICE
    [(name, address)] = getaddresses([values["From"]])
    assert address == SENDER
    assert decoded(name) == one_line(sender_name)
    subject = decoded(values["Subject"])
    assert one_line(brand_name) in subject or not one_line(brand_name)
    assert received(message).keys() == HEADERS


@settings(deadline=None, max_examples=50)
@given(hostile)
def test_names_never_add_a_line_to_the_text(brand_name):
    plain, hostile_one = text_of(mail(brand=Brand("B"))), text_of(mail(brand=Brand(brand_name)))
    assert len(hostile_one.splitlines()) == len(plain.splitlines())


@settings(deadline=None)
@given(hostile | st.emails(), hostile | st.emails())
def test_addresses_are_refused_or_stay_one_address(recipient, sender):
    try:
        message = mail(recipient=recipient, sender_address=sender)
    except ValueError:
        return
    values = dict(headers_of(message.as_bytes()))
    assert list(values) == HEADERS
    assert [address for _, address in getaddresses([values["To"]])] == [recipient]
    assert [address for _, address in getaddresses([values["From"]])] == [sender]


@given(st.text(anything))
def test_one_line_is_one_printable_line(text):
    line = one_line(text)
    assert len(line) <= 120
    assert line.splitlines() in ([line], [])
    assert one_line(line) == line
    assert "=?" not in line


@pytest.mark.parametrize(
    "name",
    [
        "Acme, Inc.",
        'The "Best" \\ Shop',
        "Caf\u00e9 & Sons <Paris>",
        "\u65e5\u672c\u8a9e" * 20,
        "x" * 120,
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 Family",
    ],
)
def test_honest_names_arrive_as_they_are(name):
    values = dict(headers_of(mail(sender_name=name, brand=Brand(name)).as_bytes()))
    [(sender_name, _)] = getaddresses([values["From"]])
    assert decoded(sender_name) == name
    assert decoded(values["Subject"]) == f"Set a new password for {name}"
