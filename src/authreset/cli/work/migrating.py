"""Bringing the database to this version."""

from authreset.cli.answers import Answer, Outcome
from authreset.cli.opening import make_database
from authreset.config import Settings
from authreset.store.schema import migrate as apply
from authreset.store.schema import schema_state


async def migrate(settings: Settings) -> Outcome:
    """Apply what is missing."""
    database = make_database(settings)
    try:
        applied = await apply(database)
        state = await schema_state(database)
    finally:
        await database.close()
    data = {"applied": applied, "revision": state.current}
    done = f"Applied {', '.join(applied)}." if applied else "Nothing to do."
    return Answer(data, f"{done} The database is at revision {state.current}.")
