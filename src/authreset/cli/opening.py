"""Reads the settings and opens the database for one verb, and tells what keeps it from doing so."""

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from authreset.cli.answers import Answer, Outcome, Refusal, tell
from authreset.cli.keyfile import read_key_texts
from authreset.clock import random_bytes, utc_now
from authreset.config import ConfigError, Settings, load_settings
from authreset.keys import load_keyring
from authreset.rules.clocks import Clock, RandomBytes
from authreset.rules.keyrings import KeyRing
from authreset.store.database import Database, StoreUnavailable, database_url
from authreset.store.schema import migrate, schema_state
from authreset.store.sqlite import sqlite_path

DOCTOR = "run `authreset doctor`, which says what is wrong"
DRIVERS = ("asyncpg", "sqlalchemy", "sqlite3")
SCHEMES = ("postgresql", "postgres", "sqlite")
_BAD_URL = (
    "AUTHRESET_DATABASE_URL: expected postgresql://user:pass@host/name or sqlite:///path/to/file"
)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a verb works with: settings, keys, an open and migrated database, who acts."""

    settings: Settings
    keyring: KeyRing
    database: Database
    actor: str
    clock: Clock = utc_now
    random_bytes: RandomBytes = random_bytes


class CannotOpen(Exception):
    """The verb cannot begin; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.error)
        self.refusal = refusal


Work: TypeAlias = Callable[[Opened], Awaitable[Outcome]]


def run_opened(work: Work, *, as_json: bool) -> int:
    """Open everything, do the work, print its outcome and return the exit status."""

    async def attempt(settings: Settings) -> Outcome:
        async with open_all(settings) as opened:
            return await work(opened)

    return run_with_settings(attempt, as_json=as_json)


def run_with_settings(
    work: Callable[[Settings], Awaitable[Outcome]], *, as_json: bool, is_quiet: bool = False
) -> int:
    """Read the settings, do the work, print its outcome and return the exit status.

    When quiet, only a refusal is printed.
    """
    outcome = asyncio.run(_attempt(work))
    if is_quiet and isinstance(outcome, Answer):
        return outcome.status
    return tell(outcome, as_json=as_json)


async def _attempt(work: Callable[[Settings], Awaitable[Outcome]]) -> Outcome:
    try:
        return await work(load_settings(os.environ))
    except CannotOpen as fault:
        return fault.refusal
    except ConfigError as fault:
        return Refusal(str(fault), "correct it; `authreset settings` lists all settings")
    except StoreUnavailable as fault:
        return Refusal(f"the database cannot be used: {describe_fault(fault)}", DOCTOR)
    except OSError as fault:
        return Refusal(
            f"{fault.filename or 'the system'}: {fault.strerror or fault}",
            "run as the service's user, and check AUTHRESET_DATA_DIR",
        )
    except Exception as fault:
        if not is_forbidden(fault):
            raise
        return Refusal(
            f"the database does not allow that: {describe_fault(fault)}",
            "run it with AUTHRESET_DATABASE_URL as the tables' owner, who migrates",
        )


@asynccontextmanager
async def open_all(settings: Settings) -> AsyncIterator[Opened]:
    """Open keys and database. Raises CannotOpen, ConfigError or StoreUnavailable."""
    read_key_texts(settings)  # an empty key file has a word of its own for the operator
    keyring = load_keyring(settings, random_bytes)
    database = make_database(settings)
    try:
        await _prepare(database)
        yield Opened(settings, keyring, database, f"operator:{_login_name()}")
    finally:
        await database.close()


def make_database(settings: Settings, text: str | None = None) -> Database:
    """Return the database of a URL, the setting's by default; nothing is connected yet.

    Raises ConfigError for a URL that this program cannot open.
    """
    text = settings.database_url if text is None else text
    scheme = text.partition("://")[0].partition("+")[0]
    if text and scheme not in SCHEMES:
        raise ConfigError(_BAD_URL)
    try:
        database = Database(database_url(text, settings.data_dir), pool_size=2)
    except OSError:
        raise
    except Exception:
        # The parser's own faults are of many kinds, and some quote the URL with its password.
        raise ConfigError(_BAD_URL) from None
    if not database.is_postgres and sqlite_path(database.url) in ("", ":memory:"):
        raise ConfigError(_BAD_URL)
    return database


async def _prepare(database: Database) -> None:
    try:
        await _require_current_schema(database)
    except Exception as fault:
        # Wrong credentials or a missing database come in the driver's own words, which tell most.
        if type(fault).__module__.partition(".")[0] not in DRIVERS:
            raise
        raise CannotOpen(
            Refusal(f"the database cannot be used: {describe_fault(fault)}", DOCTOR)
        ) from fault


def is_forbidden(fault: Exception) -> bool:
    """Tell whether the database refused a statement for want of a right (SQLSTATE 42501)."""
    return getattr(getattr(fault, "orig", None), "sqlstate", None) == "42501"


def describe_fault(fault: BaseException) -> str:
    """Return the first line of what a database's driver said, as the cause of a fault or itself."""
    cause = getattr(fault, "orig", None) or fault.__cause__ or fault
    words = str(getattr(cause, "orig", None) or cause).splitlines() or [""]
    return words[0][:200] or type(cause).__name__


async def _require_current_schema(database: Database) -> None:
    state = await schema_state(database)
    if state.is_behind and not database.is_postgres:
        # The embedded database belongs to this program alone, so nobody needs to be asked.
        await migrate(database)
        return
    # A database that a newer version migrated serves this one as well (expand, then contract).
    if state.is_behind:
        raise CannotOpen(
            Refusal(
                f"the database is at revision {state.current or 'none'}, this program needs"
                f" {state.newest}",
                "run `authreset migrate`",
            )
        )


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under an id without a name
        return str(os.getuid())
