"""Letters refuse what could harm their reader, and keep secrets out of repr."""

from dataclasses import replace

import pytest

from authreset.mail.letters import Brand
from tests.mail.examples import ALICE, CHANGED, FORGOT_URL, LINK, RESET, TOKEN, envelope


def test_repr_shows_neither_link_nor_addresses():
    for letter in (RESET, CHANGED):
        shown = repr(envelope(letter=letter))
        assert TOKEN not in shown
        assert ALICE not in shown
    assert "0190c0de" in shown


@pytest.mark.parametrize(
    "link",
    [
        "",
        "javascript:alert(1)",
        "ftp://accounts.example/x",
        "/reset/r.token",
        "https:///reset",
        f"{LINK}\r\nBcc: x@y.z",
        f"{LINK}\u2028x",
        f"{LINK} x",
        f'{LINK}"onclick="',
        "https://ex\u00e4mple.org/",
    ],
)
def test_a_link_that_could_break_out_is_refused_unquoted(link):
    with pytest.raises(ValueError, match="link") as refusal:
        replace(RESET, link=link)
    assert TOKEN not in str(refusal.value)
    with pytest.raises(ValueError, match="link"):
        replace(CHANGED, forgot_url=link)


def test_a_notice_without_a_page_to_start_over_is_fine():
    assert replace(CHANGED, forgot_url=None) != replace(CHANGED, forgot_url=FORGOT_URL)


@pytest.mark.parametrize("accent", ["red", "#fff", "#12345g", "#123456;x:y", ""])
def test_a_colour_of_another_form_is_refused(accent):
    with pytest.raises(ValueError, match="colour"):
        Brand("B", accent=accent)


@pytest.mark.parametrize("locale", ["", "e", 'en"><script>', "en_GB"])
def test_a_locale_of_another_form_is_refused(locale):
    with pytest.raises(ValueError, match="locale"):
        Brand("B", locale=locale)
