"""What a rendered mail holds: headers, both parts, and nothing that leaks or loads."""

import re
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from html.parser import HTMLParser
from uuid import UUID

import pytest

from authreset.mail.letters import Brand
from tests.mail.examples import (
    ALICE,
    CHANGED,
    FORGOT_URL,
    LINK,
    RESET,
    SENDER,
    TOKEN,
    mail,
)

LETTERS = {"reset": RESET, "changed": CHANGED}
HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "MIME-Version",
    "Content-Type",
]
ASSET_TAGS = {"img", "script", "link", "iframe", "object", "embed", "video", "audio", "form"}


class Page(HTMLParser):
    """The tags, links and visible text of an HTML part."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.hrefs, self.attributes, self.words = [], [], [], []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.hrefs += [value for name, value in attrs if name == "href"]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def received(message):
    """Parse the mail as its reader's program does."""
    return message_from_bytes(message.as_bytes(), policy=policy.default)


def text_of(message):
    return received(message).get_body(("plain",)).get_content().replace("\r\n", "\n")


def page_of(message):
    return Page(received(message).get_body(("html",)).get_content())


def test_headers_are_a_fixed_set():
    message = received(mail())
    assert message.keys() == HEADERS
    assert message["From"] == f"Pilgrim <{SENDER}>"
    assert message["To"] == ALICE
    assert message["Subject"] == "Set a new password for Pilgrim"
    assert message["Date"] == "Tue, 17 Nov 2026 14:03:00 +0000"
    assert message["Message-ID"] == "<0190c0de000070008000000000000001@pilgrim.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message.get_content_type() == "multipart/alternative"


@pytest.mark.parametrize("letter", LETTERS.values(), ids=LETTERS)
def test_parts_are_text_then_html(letter):
    parts = [part.get_content_type() for part in received(mail(letter=letter)).iter_parts()]
    assert parts == ["text/plain", "text/html"]


def test_the_same_letter_is_the_same_mail_octet_by_octet():
    assert mail().as_bytes() == mail().as_bytes()


def test_another_letter_has_another_message_id():
    other = mail(letter_id=UUID(int=5))
    assert other["Message-ID"] != mail()["Message-ID"]
    assert str(other["Message-ID"]).endswith("@pilgrim.example>")


@pytest.mark.parametrize("name", ["Pilgrim", "Caf\u00e9 \u65e5\u672c"])
def test_link_stands_alone_on_its_line_and_whole_in_both_parts(name):
    message = mail(brand=Brand(name))
    assert LINK in text_of(message).split("\n")
    page = page_of(message)
    assert page.hrefs.count(LINK) == 2  # the button, and the link in full
    assert LINK in page.text


def test_link_stands_whole_in_the_very_source_of_the_text_part():
    assert f"\r\n{LINK}\r\n".encode() in mail().as_bytes()


def test_a_link_longer_than_a_line_of_mail_still_arrives_whole():
    long_link = LINK + "x" * 1500
    message = mail(letter=replace(RESET, link=long_link))
    assert max(map(len, message.as_bytes().split(b"\r\n"))) <= 998
    assert long_link in text_of(message).split("\n")
    assert long_link in page_of(message).hrefs


@pytest.mark.parametrize("name", ["Pilgrim", "Caf\u00e9"])
@pytest.mark.parametrize("letter", LETTERS.values(), ids=LETTERS)
def test_body_needs_no_eight_bit_transport(letter, name):
    assert mail(letter=letter, brand=Brand(name)).as_bytes().isascii()


def test_reset_says_what_its_reader_must_know():
    message = mail()
    for text in (" ".join(text_of(message).split()), page_of(message).text):
        assert "works for 60 minutes after this mail arrives" in text
        assert "ou can ignore this mail" in text
        assert "Nobody at Pilgrim will ever ask you for it" in text
        assert "17 November 2026 at 14:03 UTC, from 203.0.113.7" in text
        assert ALICE in text
        assert "support@pilgrim.example" in text


def test_lifetime_is_the_letters_own():
    assert "works for 24 hours after" in text_of(mail(letter=replace(RESET, lifetime=timedelta(1))))


def test_changed_says_what_to_do_if_it_was_somebody_else():
    message = mail(letter=CHANGED)
    assert FORGOT_URL in text_of(message).split("\n")
    for text in (" ".join(text_of(message).split()), page_of(message).text):
        assert "was not you" in text
        assert "17 November 2026 at 14:03 UTC, from 203.0.113.7" in text
        assert "write to support@pilgrim.example" in text
        assert "Change the password of your mailbox too" in text


def test_changed_without_page_or_support_still_says_what_to_do():
    message = mail(letter=replace(CHANGED, forgot_url=None), brand=Brand("Pilgrim"))
    assert page_of(message).hrefs == []
    for text in (" ".join(text_of(message).split()), page_of(message).text):
        assert "ell the people who run Pilgrim" in text


@pytest.mark.parametrize("letter", LETTERS.values(), ids=LETTERS)
def test_unknown_client_is_left_out(letter):
    text = text_of(mail(letter=replace(letter, client_address=None)))
    assert "14:03 UTC." in text
    assert "None" not in text


@pytest.mark.parametrize("letter", LETTERS.values(), ids=LETTERS)
def test_html_loads_nothing(letter):
    message = mail(letter=letter)
    page = page_of(message)
    assert not ASSET_TAGS & set(page.tags)
    assert not {name for name, _ in page.attributes} & {"src", "srcset", "background", "onclick"}
    assert set(page.hrefs) <= {LINK, FORGOT_URL, "mailto:support@pilgrim.example"}
    source = received(message).get_body(("html",)).get_content()
    assert not re.search(r"url\(|@import|@font-face", source)


def test_html_tells_its_language_and_title_and_minds_the_dark():
    source = received(mail(brand=Brand("P", locale="en-GB"))).get_body(("html",)).get_content()
    assert '<html lang="en-GB"' in source
    assert "<title>Set a new password for P</title>" in source
    assert "prefers-color-scheme: dark" in source
    assert '<html lang="en"' in (
        received(mail(brand=Brand("P", locale="de"))).get_body(("html",)).get_content()
    )


def test_preview_line_tells_no_link():
    words = page_of(mail()).text
    preview = words[words.index("Your link works") : words.index("Pilgrim Set a new password")]
    assert "60 minutes" in preview
    assert TOKEN not in preview


def test_html_escapes_what_it_is_given():
    brand = Brand("<script>alert(1)</script> & Sons", support_address='x"onclick="@y.z')
    page = page_of(mail(brand=brand))
    assert "script" not in page.tags
    assert "<script>alert(1)</script> & Sons" in page.text
    assert "onclick" not in dict(page.attributes)
    assert "<script>alert(1)</script> & Sons" in text_of(mail(brand=brand))


def test_accent_and_readable_ink_reach_the_button():
    source = received(mail(brand=Brand("P", accent="#ffe000"))).get_body(("html",)).get_content()
    assert 'bgcolor="#ffe000"' in source
    assert "color:#000000;text-decoration:none" in source


@pytest.mark.parametrize(
    "changes",
    [
        {"recipient": "alice@example.com, eve@example.com"},
        {"recipient": ""},
        {"sender_address": "no reply@pilgrim.example"},
        {"sender_address": "s\u00e9nder@pilgrim.example"},
    ],
)
def test_an_address_that_cannot_be_mailed_is_refused_unquoted(changes):
    with pytest.raises(ValueError, match="address") as refusal:
        mail(**changes)
    assert "@" not in str(refusal.value)


def test_international_domains_need_no_smtputf8():
    message = mail(
        recipient="alice@b\u00fccher.example", sender_address="no-reply@b\u00fccher.example"
    )
    assert message.as_bytes().isascii()
    assert message["To"] == "alice@xn--bcher-kva.example"
    assert str(message["Message-ID"]).endswith("@xn--bcher-kva.example>")


def test_a_long_domain_leaves_the_message_id_whole():
    domain = ".".join(["long-label-of-a-domain"] * 8) + ".example"
    source = mail(sender_address=f"no-reply@{domain}").as_bytes().decode()
    assert f"\r\nMessage-ID: <0190c0de000070008000000000000001@{domain}>\r\n" in source
