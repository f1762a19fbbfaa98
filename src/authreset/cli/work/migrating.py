"""Bringing the database to this version, and giving its roles what they need."""

from authreset.cli.answers import Answer, Outcome, Refusal
from authreset.cli.opening import make_database
from authreset.clock import random_bytes
from authreset.config import Settings
from authreset.keys import load_keyring
from authreset.store.database import Database
from authreset.store.roles import RIGHTS, grant_roles
from authreset.store.schema import migrate as apply
from authreset.store.schema import schema_state


async def migrate(settings: Settings, *, with_roles: bool) -> Outcome:
    """Apply what is missing; then, if asked, make the roles and give them their rights."""
    database = make_database(settings)
    if with_roles and not database.is_postgres:
        return Refusal(
            "--roles: the embedded database has no roles",
            "leave --roles out, or set AUTHRESET_DATABASE_URL to a PostgreSQL database",
        )
    if not database.is_postgres:
        # Made together with the database: a key that is missing beside one counts as lost.
        load_keyring(settings, random_bytes)
    try:
        return await _migrate(database, with_roles=with_roles)
    finally:
        await database.close()


async def _migrate(database: Database, *, with_roles: bool) -> Answer:
    applied = await apply(database)
    state = await schema_state(database)
    if with_roles:
        await grant_roles(database)
    data = {
        "applied": applied,
        "revision": state.current,
        "roles": list(RIGHTS) if with_roles else [],
    }
    done = f"Applied {', '.join(applied)}." if applied else "Nothing to apply."
    granted = f"\n{_ROLES}" if with_roles else ""
    return Answer(data, f"{done} The database is at revision {state.current}.{granted}")


_ROLES = (
    f"The roles {', '.join(RIGHTS)} hold what they need and no more. Each needs a password once,"
    " as ALTER ROLE ... PASSWORD gives it, before it can log in over the network."
)
