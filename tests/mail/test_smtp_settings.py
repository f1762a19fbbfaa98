"""The URL of the mail server: every form, every refusal, and no secret in either."""

import socket
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authreset.mail.smtp import Encryption, SmtpSettings, SmtpUrlError, parse_smtp_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mx", SmtpSettings("mx", 25, Encryption.AUTO)),
        ("smtp://mx/", SmtpSettings("mx", 25, Encryption.AUTO)),
        ("smtp://mx:2525", SmtpSettings("mx", 2525, Encryption.AUTO)),
        ("smtp://mx?starttls=auto", SmtpSettings("mx", 25, Encryption.AUTO)),
        ("smtp://mx?starttls=off", SmtpSettings("mx", 25, Encryption.OFF)),
        ("smtp://mx?starttls=required", SmtpSettings("mx", 587, Encryption.REQUIRED)),
        ("SMTP://MX", SmtpSettings("mx", 25, Encryption.AUTO)),
        ("smtp://[::1]:25", SmtpSettings("::1", 25, Encryption.AUTO)),
        ("smtp://m\u00fcller.example", SmtpSettings("xn--mller-kva.example", 25, Encryption.AUTO)),
        ("smtp://u:p@mx", SmtpSettings("mx", 587, Encryption.REQUIRED, "u", "p")),
        ("smtp://u:p@mx?starttls=off", SmtpSettings("mx", 25, Encryption.OFF, "u", "p")),
        ("smtps://mx", SmtpSettings("mx", 465, Encryption.IMPLICIT)),
        ("smtps://u:p@mx:4650", SmtpSettings("mx", 4650, Encryption.IMPLICIT, "u", "p")),
        (
            "smtps://a%40b.c:p%3A%2F%23%3F%25+@mx",
            SmtpSettings("mx", 465, Encryption.IMPLICIT, "a@b.c", "p:/#?%+"),
        ),
        (
            "smtp://mx?timeout=2.5&pool=9&ca_file=/etc/my+ca%20s.pem&helo=app.example.com",
            SmtpSettings(
                "mx",
                25,
                Encryption.AUTO,
                timeout=2.5,
                pool=9,
                ca_file="/etc/my+ca s.pem",
                helo="app.example.com",
            ),
        ),
    ],
)
def test_url_forms(url, expected):
    assert parse_smtp_url(url) == expected


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("", "smtp://"),
        ("mx:25", "smtp://"),
        ("http://mx", "smtp://"),
        ("smtp://", "host"),
        ("smtp://:25", "host"),
        ("smtp://m_x!/", "host"),
        ("smtp://a..b", "host"),
        ("smtp://mx:0", "port"),
        ("smtp://mx:65536", "port"),
        ("smtp://mx:port", "port"),
        ("smtp://[::1", "URL"),
        ("smtp://mx/inbox", "encode"),
        ("smtp://mx#x", "encode"),
        ("smtp://mx 1", "spaces"),
        ("smtp://mx\r\n", "spaces"),
        ("smtp://user@mx", "password"),
        ("smtp://user:@mx", "password"),
        ("smtp://:secret@mx", "user name"),
        ("smtp://u:secret@mx?starttls=auto", "starttls=required"),
        ("smtp://mx?starttls=maybe", "starttls"),
        ("smtp://mx?starttls=", "empty"),
        ("smtp://mx?startls=required", "unknown option"),
        ("smtp://mx?pool=1&pool=2", "twice"),
        ("smtps://mx?starttls=required", "starttls"),
        ("smtp://mx?timeout=0", "timeout"),
        ("smtp://mx?timeout=-1", "timeout"),
        ("smtp://mx?timeout=nan", "timeout"),
        ("smtp://mx?timeout=inf", "timeout"),
        ("smtp://mx?timeout=soon", "timeout"),
        ("smtp://mx?pool=0", "pool"),
        ("smtp://mx?pool=101", "pool"),
        ("smtp://mx?pool=\u0663", "pool"),
        ("smtp://mx?helo=a%20b", "helo"),
        ("smtp://mx?helo=a%0d%0ab", "helo"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_hint(url, hint):
    with pytest.raises(SmtpUrlError, match=hint) as refusal:
        parse_smtp_url(url)
    assert "secret" not in str(refusal.value)


SECRET = "s3cr3t-Pa55"


@pytest.mark.parametrize(
    "url",
    [
        "smtp://user:{}/x@mx",
        "smtp://user:{}#x@mx",
        "smtp://user:{}?x@mx",
        "smtp://user:{}@@mx:y",
        "smtp://user:1{}:x@mx/y",
        "http://user:{}@mx",
        "smtp://user:{} @mx",
        "smtp://user:{}@mx?timeout=x",
        "smtp://user:{}@mx?starttls=auto",
        "smtp://user:[{}@mx",
    ],
)
def test_no_refusal_quotes_the_password(url):
    with pytest.raises(SmtpUrlError) as refusal:
        parse_smtp_url(url.format(SECRET))
    assert SECRET not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


@given(st.text(min_size=1), st.text(min_size=1))
def test_encoded_credentials_come_back_and_never_show(username, password):
    login = f"{quote(username, safe='')}:{quote(password, safe='')}"
    settings = parse_smtp_url(f"smtps://{login}@mail.example.com:465")
    assert (settings.username, settings.password) == (username, password)
    without = SmtpSettings("mail.example.com", 465, Encryption.IMPLICIT)
    assert repr(settings) == repr(without)


def test_credentials_never_go_with_opportunistic_encryption():
    with pytest.raises(SmtpUrlError, match="unencrypted"):
        SmtpSettings("mx", 25, Encryption.AUTO, "user", SECRET)


def test_helo_names_this_host_or_a_literal():
    assert parse_smtp_url("smtp://mx?helo=app.example.com").helo_name == "app.example.com"
    assert parse_smtp_url("smtp://mx").helo_name in (socket.gethostname(), "[127.0.0.1]")
