"""Every setting is documented, and nothing else is."""

import re
from dataclasses import fields

import pytest

from authreset.config import CONFIG_VARIABLE, PREFIX, Settings
from tests.guards.sources import ROOT

GUIDE = ROOT / "docs" / "operating.md"
NAMES = [PREFIX + one.name.upper() for one in fields(Settings)]


@pytest.fixture(scope="module")
def guide() -> str:
    return GUIDE.read_text("utf-8")


@pytest.mark.parametrize("name", [*NAMES, CONFIG_VARIABLE])
def test_setting_is_documented(guide, name):
    assert re.search(rf"`{name}`", guide), f"{name} is missing in docs/operating.md"


def test_guide_names_no_setting_that_is_none(guide):
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", guide))
    assert named - {*NAMES, CONFIG_VARIABLE} == set()


def test_every_setting_says_in_itself_what_it_is():
    assert [one.name for one in fields(Settings) if not one.metadata["help"].endswith(".")] == []


def test_no_secret_setting_shows_in_a_repr():
    secret = {"database_url", "intake_database_url", "secret_key", "smtp_url", "limits_url"}
    shown = {one.name for one in fields(Settings) if one.repr}
    assert shown & secret == set()
