"""Bringing a database to the tables of this version, and telling how far it is.

The revisions are in `store.migrations`; the rules for writing one are in its `env.py`.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from authreset.store.database import Database, Transaction

TURN_SECONDS = 60
"""How long one machine waits while another migrates (PostgreSQL)."""

LOCK_SECONDS = 5
"""How long a revision may wait for a table, and so make the traffic behind it wait."""

REVISION_SECONDS = 1800
"""How long one statement of a revision may take."""

# Any number will do, as long as every version of authreset takes the same one.
_TURN = 6_283_185_307


@dataclass(frozen=True, slots=True)
class SchemaState:
    """The newest revision a database has had (None: not one), and the newest that we know."""

    current: str | None
    newest: str

    @property
    def is_behind(self) -> bool:
        """Tell whether `migrate` has something to do."""
        return self.current is None or self.current < self.newest

    @property
    def is_ahead(self) -> bool:
        """Tell whether a later version was here; its database serves us all the same."""
        return self.current is not None and self.current > self.newest


async def schema_state(database: Database) -> SchemaState:
    """Tell how far the database is. Raises StoreUnavailable."""
    async with database.read() as tx:
        return SchemaState(await tx.run_sync(_current), _revisions()[-1])


async def migrate(database: Database, *, turn_seconds: float = TURN_SECONDS) -> list[str]:
    """Bring the database to the declared tables and return the revisions that this took.

    Each revision has a transaction of its own: whatever happens, the database stands after one
    revision or before it. Any number of machines may call this at once; one at a time works, and
    each revision is applied once. Raises StoreUnavailable, also when another takes longer than
    `turn_seconds` (PostgreSQL) over a revision.
    """
    patient = Database(database.url, pool_size=1, statement_seconds=REVISION_SECONDS)
    try:
        applied: list[str] = []
        while (revision := await _apply_next(patient, turn_seconds)) is not None:
            applied.append(revision)
        return applied
    finally:
        await patient.close()


async def _apply_next(database: Database, turn_seconds: float) -> str | None:
    async with database.begin() as tx:
        await take_turn(tx, turn_seconds)
        return await tx.run_sync(_upgrade_once)


async def take_turn(tx: Transaction, seconds: float = TURN_SECONDS) -> None:
    """Be the only one that migrates until the transaction ends. Fails after so many seconds."""
    if tx.dialect.name == "sqlite":
        return  # BEGIN IMMEDIATE is such a turn by itself
    await _set_local(tx, lock_timeout=seconds, statement_timeout=REVISION_SECONDS)
    # Held by the transaction and not by the session, so that it works through PgBouncer too.
    await tx.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": _TURN})
    await _set_local(tx, lock_timeout=LOCK_SECONDS)


async def _set_local(tx: Transaction, **seconds: float) -> None:
    for name, value in seconds.items():
        await tx.execute(
            text("SELECT set_config(:name, :value, true)"),
            {"name": name, "value": f"{int(value * 1000)}ms"},
        )


def _upgrade_once(connection: Connection) -> str | None:
    following = [one for one in _revisions() if one > (_current(connection) or "")]
    if not following:
        return None
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, following[0])
    return following[0]


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    directory = str(Path(__file__).with_name("migrations"))
    config.set_main_option("script_location", directory.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@cache
def _revisions() -> list[str]:
    script = ScriptDirectory.from_config(_config())
    return sorted(one.revision for one in script.walk_revisions())
