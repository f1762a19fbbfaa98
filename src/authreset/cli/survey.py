"""Surveys the settings: each one's value, where it came from, what is wrong with it.

Secrets are masked here. What a setting means is `config`'s.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from authreset.config import (
    CONFIG_VARIABLE,
    PREFIX,
    ConfigError,
    Settings,
    load_settings,
    unknown_variables,
)
from authreset.rules.limits import MailboxPolicy, Rate

_PERIODS = {1: "second", 60: "minute", 3600: "hour", 86400: "day"}


@dataclass(frozen=True, slots=True)
class SurveyedSetting:
    """One setting. `source` is environment, file or default; `value` is safe to show."""

    variable: str
    value: str
    source: str
    meaning: str
    error: str | None


@dataclass(frozen=True, slots=True)
class Survey:
    """All settings, what is wrong by variable, and unknown variables with what was meant."""

    settings: tuple[SurveyedSetting, ...]
    errors: Mapping[str, str]
    unknown: Mapping[str, str | None]


def survey_settings(environ: Mapping[str, str]) -> Survey:
    """Look at every setting by itself, so that one fault does not hide another."""
    file_error, in_file = _read_file(environ)
    surveyed = tuple(_survey(one, environ, in_file) for one in fields(Settings))
    errors = {one.variable: one.error for one in surveyed if one.error}
    if file_error:
        errors = {CONFIG_VARIABLE: file_error, **errors}
    return Survey(surveyed, errors, _guess_meant(environ))


def _read_file(environ: Mapping[str, str]) -> tuple[str | None, Mapping[str, str]]:
    """Return what is wrong with the file, if anything, and its values as the environment's."""
    path = environ.get(CONFIG_VARIABLE)
    if not path:
        return None, {}
    try:
        content = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as fault:
        return f"cannot read {path}: {fault}", {}
    known = {one.name for one in fields(Settings)}
    if unknown := sorted(content.keys() - known):
        meant = get_close_matches(unknown[0], known, 1)
        hint = f"; did you mean {meant[0]}?" if meant else ""
        return f"{path} has the unknown setting {unknown[0]}{hint}", {}
    return None, {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in content.items()
    }


def _survey(
    one: Field[Any], environ: Mapping[str, str], in_file: Mapping[str, str]
) -> SurveyedSetting:
    variable = PREFIX + one.name.upper()
    given = environ.get(variable) or in_file.get(one.name)
    source = "environment" if environ.get(variable) else "file" if given else "default"
    value, error = _read_alone(one, variable, given)
    return SurveyedSetting(variable, value, source, one.metadata["help"], error)


def _read_alone(one: Field[Any], variable: str, given: str | None) -> tuple[str, str | None]:
    try:
        settings = load_settings({variable: given} if given else {})
    except ConfigError as fault:
        return "?", str(fault).removeprefix(f"{variable}: ")
    value = getattr(settings, one.name)
    return (_show(value) if one.repr else _mask(one.name, value)), None


def _show(value: object) -> str:
    match value:
        case None:
            return "off"
        case Rate(count, period):
            return f"{count}/{_PERIODS.get(period, period)}"
        case MailboxPolicy(per_hour, per_day, spacing):
            return f"{per_hour},{per_day},{spacing.total_seconds():g}"
        case tuple():
            return ",".join(map(str, value))
        case _:
            return str(value)


def _mask(name: str, value: str) -> str:
    """Return what may be shown of a secret: of a URL the server, of keys their number."""
    if not value:
        return ""
    if name == "secret_key":
        return f"({len(value.split(','))} key(s), not shown)"
    try:
        parts = urlsplit(value)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(not shown)"
    if "@" in value.removeprefix(f"{parts.scheme}://{parts.netloc}"):
        return "(not shown)"  # a sign in the password ended the part before the host too early
    who = "***@" if "@" in parts.netloc else ""
    more = "?***" if parts.query else ""
    return f"{parts.scheme}://{who}{parts.hostname or ''}{port}{parts.path}{more}"


def _guess_meant(environ: Mapping[str, str]) -> dict[str, str | None]:
    known = [PREFIX + one.name.upper() for one in fields(Settings)]
    return {
        name: next(iter(get_close_matches(name, known, 1)), None)
        for name in unknown_variables(environ)
    }
