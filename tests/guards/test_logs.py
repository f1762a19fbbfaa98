"""No token and no address survives the last step before a log line, whoever wrote it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import assume, given
from hypothesis import strategies as st

from authreset.logs import configure_logs, mask_secrets
from authreset.rules.addresses import is_address
from authreset.rules.keyrings import KeyRing, SecretKey
from authreset.rules.tokens import TokenKind, new_token

tokens = st.builds(
    lambda kind, key, secret: new_token(kind, KeyRing([SecretKey(key)]), lambda _: secret),
    st.sampled_from(TokenKind),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=24, max_size=24),
)
atoms = st.text(st.characters(codec="utf-8", exclude_characters="@"), min_size=2, max_size=20)
domains = st.sampled_from(
    ["example.com", "mail.example.co.uk", "müller.example", "例え.jp", "☃.net"]
)
addresses = st.builds("{}@{}".format, atoms, domains).filter(is_address)
around = st.text(max_size=30)


def masked(value: object) -> str:
    line = mask_secrets(None, "info", {"event": "x", "value": value})
    return json.dumps(line, default=repr, ensure_ascii=False)


@given(tokens, around, around)
def test_no_token_survives(token, before, after):
    assert token[2:] not in masked(f"{before}{token}{after}")


@given(addresses, around, around)
def test_no_address_survives(address, before, after):
    assume("@" not in before + after)
    shown = masked(f"{before} {address} {after}")
    assert address not in shown
    local, _, domain = address.partition("@")
    assert f"{local}@" not in shown
    assert f"@{domain}" not in shown


@given(tokens, addresses)
def test_nor_inside_what_is_no_text(token, address):
    class Odd:
        def __repr__(self) -> str:
            return f"<{token} {address}>"

    nested = [(token, {"a": [address], "b": token.encode()}), Odd(), ValueError(token, address)]
    for value in [*nested, nested, {address: 1}, token.encode(), {token}]:
        shown = masked(value)
        assert token[2:] not in shown
        assert address not in shown


@pytest.mark.parametrize(
    "text",
    [
        "https://accounts.example.com/reset%2F{}",
        "/reset/{}",
        "requestToken={}&x=1",
        "token_{}",
        "'{}'",
        "{}",
    ],
)
def test_no_token_survives_where_tokens_stand(text):
    token = new_token(TokenKind.RESET, KeyRing([SecretKey(b"k" * 32)]), lambda count: b"s" * count)
    assert token[2:] not in masked(text.format(token))


@pytest.mark.parametrize(
    "text", ["ada@example.com", "<ada@example.com>", "email=ada%40example.com"]
)
def test_hint_of_an_address_stays(text):
    assert "…@e…" in masked(text)


@pytest.mark.parametrize("text", ["requests_settled", "/api/user/authreset", "smtp: 250 2.0.0 Ok"])
def test_what_is_no_secret_stays_as_it_is(text):
    assert text in masked(text)


@pytest.mark.parametrize("value", [1, 2.5, None, True])
def test_numbers_stay_numbers(value):
    assert mask_secrets(None, "info", {"value": value}) == {"value": value}


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Configure logs as a process does, and put everything back."""
    handlers, level = logging.root.handlers, logging.root.level
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure_logs("json", "info")
    yield stream
    logging.root.handlers = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


SECRET = "r." + "Ab1_" * 11


def test_whole_way_masks_what_libraries_and_exceptions_say(output):
    try:
        raise ValueError(f"{SECRET} of ada@example.com")
    except ValueError as error:
        structlog.get_logger("one").error("failed", exc_info=error)
    logging.getLogger("library").warning("for %s: %s", "ada@example.com", SECRET)
    try:
        raise RuntimeError(SECRET)
    except RuntimeError:
        logging.getLogger("library").exception("failed for %r", {"email": "ada@example.com"})
    text = output.getvalue()
    assert json.loads(text.splitlines()[0])["event"] == "failed"
    assert len(text.splitlines()) == 3
    assert SECRET not in text
    assert "ada@example.com" not in text
    assert "ValueError" in text
