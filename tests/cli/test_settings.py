"""The list of settings: values, sources and faults, with every secret masked."""

from dataclasses import fields
from pathlib import Path

import pytest

from authreset.config import Settings
from tests.cli.program import Program

SECRETS = {
    "DATABASE_URL": "postgresql://app:hush1@db.test:5433/auth?password=hush1b",
    "INTAKE_DATABASE_URL": "postgresql://intake:hush2@db.test/auth",
    "SECRET_KEY": "hush3" * 9,
    "SMTP_URL": "smtps://user:hush4@mail.test?ca_file=/ca",
    "LIMITS_URL": "redis://:hush5@limits.test:6379",
}


def test_every_setting_is_listed_with_its_default(fresh: Program) -> None:
    listed = fresh.do("settings")
    names = {f"AUTHRESET_{one.name.upper()}" for one in fields(Settings)}
    assert {one["name"] for one in listed["settings"]} == names
    sources = {one["name"]: one["source"] for one in listed["settings"]}
    assert sources.pop("AUTHRESET_DATA_DIR") == "environment"
    assert set(sources.values()) == {"default"}
    assert not fresh.data_dir.exists()


def test_what_is_shown_of_a_default_can_be_set_again(fresh: Program) -> None:
    shown = {
        one["name"].removeprefix("AUTHRESET_"): one["value"]
        for one in fresh.do("settings")["settings"]
        if one["value"]
    }
    again = fresh.do("settings", **shown)
    assert again["errors"] == {}
    assert {
        one["name"].removeprefix("AUTHRESET_"): one["value"] for one in again["settings"]
    }.items() >= shown.items()


def test_no_secret_is_shown(fresh: Program) -> None:
    result = fresh("settings", **SECRETS)
    assert result.status == 0
    assert "hush" not in result.out
    values = {one["name"]: one["value"] for one in fresh.do("settings", **SECRETS)["settings"]}
    assert "hush" not in str(values)
    assert values["AUTHRESET_DATABASE_URL"] == "postgresql://***@db.test:5433/auth?***"
    assert values["AUTHRESET_SECRET_KEY"] == "(1 key(s), not shown)"


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://app:12/hush@db.test/auth", "postgresql://app:12#hush@db.test/auth",
        "postgresql://app:12?hush@db.test/auth", "postgresql://app:a@12/hush@db.test/auth",
    ],
)  # fmt: skip
def test_no_part_is_shown_of_a_password_with_signs_that_wanted_encoding(
    fresh: Program, value: str
) -> None:
    shown = {one["name"]: one["value"] for one in fresh.do("settings", SMTP_URL=value)["settings"]}
    assert shown["AUTHRESET_SMTP_URL"] == "(not shown)"


@pytest.mark.parametrize(
    "value",
    [
        "https://exa mple.com", "https://m\u00fcller.example", 'https://a"b.example',
        "https://example.com:https", "https://example.com/\u00fc", "https://user:pw@example.com",
    ],
)  # fmt: skip
def test_a_public_url_that_no_letter_can_carry_is_refused(fresh: Program, value: str) -> None:
    """Else every letter fails later, each with its request long answered."""
    assert fresh("settings", "--json", PUBLIC_URL=value).json["errors"].keys() == {
        "AUTHRESET_PUBLIC_URL"
    }


def test_every_field_that_is_hidden_from_repr_was_tried() -> None:
    assert SECRETS.keys() == {one.name.upper() for one in fields(Settings) if not one.repr}


def test_the_file_and_the_environment_are_told_apart(fresh: Program, tmp_path: Path) -> None:
    path = tmp_path / "authreset.toml"
    path.write_text('link_minutes = 20\nlog_level = "debug"\ntrusted_proxies = ["10.0.0.0/8"]\n')
    listed = fresh.do("settings", CONFIG=str(path), LINK_MINUTES="30")["settings"]
    seen = {one["name"]: (one["value"], one["source"]) for one in listed}
    assert seen["AUTHRESET_LINK_MINUTES"] == ("30", "environment")
    assert seen["AUTHRESET_LOG_LEVEL"] == ("debug", "file")
    assert seen["AUTHRESET_TRUSTED_PROXIES"] == ("10.0.0.0/8", "file")


def test_every_fault_is_told_at_once(fresh: Program) -> None:
    result = fresh("settings", "--json", LINK_MINUTES="4", LOG_LEVEL="loud", LINK_MINUTE="5")
    assert result.status == 1
    assert result.json["errors"].keys() == {"AUTHRESET_LINK_MINUTES", "AUTHRESET_LOG_LEVEL"}
    assert result.json["unknown"] == {"AUTHRESET_LINK_MINUTE": "AUTHRESET_LINK_MINUTES"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("link_minuts = 5", "did you mean link_minutes?"), ("link_minutes = ", "cannot read"),
        ("log_level = 'loud'\nlink_minutes = 4", "from 5 to 1440"),
    ],
)  # fmt: skip
def test_a_faulty_file_is_told(fresh: Program, tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "authreset.toml"
    path.write_text(content)
    result = fresh("settings", "--json", CONFIG=str(path))
    assert result.status == 1
    assert words in str(result.json["errors"])


def test_a_missing_file_is_told(fresh: Program) -> None:
    assert "cannot read" in str(fresh("settings", "--json", CONFIG="/nowhere.toml").json["errors"])
