"""Settings: one frozen tree, read once from the environment and a TOML file, nowhere else.

The environment wins over the file. Each setting's name in the environment is `AUTHRESET_` and its
field's name in capitals; in the file it is the field's name. `docs/operating.md` lists them all.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from authreset.rules.limits import MailboxPolicy, Rate, parse_rate
from authreset.rules.networks import Network, parse_networks

PREFIX = "AUTHRESET_"
CONFIG_VARIABLE = "AUTHRESET_CONFIG"


class ConfigError(ValueError):
    """A setting cannot be used. The text names the setting and says what to do."""


def _setting(default: Any, help: str, parse: Callable[[str], Any] = str, **kwargs: Any) -> Any:
    return field(default=default, metadata={"help": help, "parse": parse}, **kwargs)


def _secret(default: Any, help: str) -> Any:
    return _setting(default, help, repr=False)


def _url(text: str) -> str:
    problem = ValueError("expected an address such as https://accounts.example.com")
    # As strict as a letter is about its link, since otherwise every letter would fail.
    if not text.isascii() or not text.isprintable() or set(text) & set(" \"'<>\\^`{|}?#@"):
        raise problem
    try:
        parts = urlsplit(text)
        _ = parts.port  # judged only when it is asked for
    except ValueError:
        raise problem from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise problem
    if parts.path not in ("", "/"):
        # The pages stand at the root of their host; below a path their forms would post elsewhere.
        raise ValueError("expected an address without a path, such as https://accounts.example.com")
    return text.rstrip("/")


def _choice(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return text

    return parse


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return int(text)

    return parse


def _optional_rate(text: str) -> Rate | None:
    return None if text == "off" else parse_rate(text)


def _mailbox_policy(text: str) -> MailboxPolicy | None:
    if text == "off":
        return None
    numbers = text.split(",")
    if len(numbers) != 3 or not all(n.strip().isdigit() for n in numbers):
        raise ValueError("expected three numbers 'per hour,per day,seconds between', or off")
    per_hour, per_day, spacing = (int(n) for n in numbers)
    return MailboxPolicy(per_hour=per_hour, per_day=per_day, spacing=timedelta(seconds=spacing))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator may set. Secrets do not show in `repr`."""

    data_dir: Path = _setting(
        Path("data"), "Directory of the embedded database and of the secret key.", Path
    )
    database_url: str = _secret(
        "", "postgresql://user:pass@host/name, or sqlite:///path; default: a file in the data dir."
    )
    intake_database_url: str = _secret(
        "", "The same database as a role that may only append requests; used by the request path."
    )
    secret_key: str = _secret(
        "", "Keys, base64url, comma separated; the first makes new tokens, all recognise theirs."
    )
    secret_key_file: str = _setting(
        "", "File with one key a line; default: secret.key in the data dir, made when absent."
    )
    public_url: str = _setting(
        "", "Address under which people reach the pages; links in mails start with it.", _url
    )
    smtp_url: str = _secret(
        "", "smtp://user:pass@host:587?starttls=required or smtps://...; absent: local mailbox."
    )
    mail_from: str = _setting(
        "authreset <no-reply@localhost.localdomain>", "Sender of letters: 'Name <address>'."
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        (), "Networks whose X-Forwarded-For is believed, comma separated.", parse_networks
    )
    log_format: str = _setting("json", "json or console.", _choice("json", "console"))
    log_level: str = _setting(
        "info", "debug, info, warning or error.", _choice("debug", "info", "warning", "error")
    )
    limit_token: Rate | None = _setting(
        parse_rate("6000/minute"), "Requests one API token may make, or off.", _optional_rate
    )
    limit_address: Rate | None = _setting(
        parse_rate("600/minute"), "Requests one client address may make, or off.", _optional_rate
    )
    limits_url: str = _secret(
        "", "redis://host:6379 or valkey://...: limits shared by all processes; default: in memory."
    )
    mailbox_limits: MailboxPolicy | None = _setting(
        MailboxPolicy(),
        "Mails one mailbox gets: 'per hour,per day,seconds between', or off.",
        _mailbox_policy,
    )
    password_minimum: int = _setting(12, "Fewest characters of a new password.", _whole(8, 64))
    link_minutes: int = _setting(
        60, "Minutes a link lives after its mail was accepted.", _whole(5, 1440)
    )
    retention_days: int = _setting(
        90, "Days that settled requests, letters, resets and events are kept.", _whole(1, 3650)
    )

    @property
    def is_embedded(self) -> bool:
        """Tell whether the database is SQLite: one process takes requests, one at a time writes."""
        return not self.database_url.startswith("postgres")


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings. Raises ConfigError that names the first one that cannot be used."""
    given = {
        **_read_file(environ.get(CONFIG_VARIABLE)),
        **{
            one.name: environ[PREFIX + one.name.upper()]
            for one in fields(Settings)
            if environ.get(PREFIX + one.name.upper())
        },
    }
    return Settings(
        **{one.name: _parse(one, given[one.name]) for one in fields(Settings) if one.name in given}
    )


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return variables that look like settings and are none, as a misspelt one does."""
    known = {PREFIX + one.name.upper() for one in fields(Settings)} | {CONFIG_VARIABLE}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)


def _parse(one: Field[Any], value: str) -> Any:
    try:
        return one.metadata["parse"](value)
    except ValueError as error:
        raise ConfigError(f"{PREFIX}{one.name.upper()}: {error}") from None


def _read_file(path: str | None) -> dict[str, str]:
    if not path:
        return {}
    try:
        content = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{CONFIG_VARIABLE}: cannot read {path}: {error}") from None
    known = {one.name for one in fields(Settings)}
    if unknown := sorted(content.keys() - known):
        raise ConfigError(
            f"{path}: unknown setting {unknown[0]}; known: {', '.join(sorted(known))}"
        )
    return {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in content.items()
    }
