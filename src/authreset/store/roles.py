"""Least privilege on PostgreSQL: three roles, and what each may do with which column.

The owner, who migrates, also runs the operator's verbs (`organization add`, `token issue`, ...).
The request path runs as a role that cannot read users at all. Passwords of roles are never here.
"""

from collections.abc import Iterator

from sqlalchemy import text

from authreset.store.database import Database
from authreset.store.intake import COLUMNS as APPENDED
from authreset.store.schema import take_turn
from authreset.store.tables import metadata

INTAKE = "authreset_intake"
APP = "authreset_app"
WORKER = "authreset_worker"

_READ = "SELECT"
_APPEND = "INSERT"
# Holding a row, as FOR UPDATE does, asks for the right to change at least one of its columns.
# Where nothing else is changed, that is an instant of no consequence.
_HOLD = "UPDATE (created_at)"

_APPEND_REQUEST = f"INSERT ({', '.join(APPENDED)})"

RIGHTS: dict[str, dict[str, tuple[str, ...]]] = {
    # `/User/authreset` and the hosted form: append, and tell whose token it is.
    INTAKE: {
        "requests": (_APPEND_REQUEST,),
        "api_tokens": (_READ,),
        "entities": (_READ,),
        "oauth_clients": (_READ,),
    },
    # The rest of the API and the pages, the metrics; and the intake where it has no URL of its own.
    APP: {
        "requests": (_APPEND_REQUEST, "SELECT (outcome, root_id, received_at)"),
        "api_tokens": (_READ, _APPEND),
        "entities": (_READ,),
        "oauth_clients": (_READ,),
        "oauth_secrets": (_READ,),
        "users": (
            _READ,
            "UPDATE (password_hash, password_changed_at, failed_logins, locked_until, status,"
            " last_access_at)",
        ),
        "password_history": (_READ, _APPEND, "DELETE"),
        "roles": (_READ,),
        "sessions": (_READ, _APPEND, "DELETE"),
        "resets": (_READ, "UPDATE (ended_at, end_reason)"),
        "letters": (_READ, _APPEND),
        "events": (_APPEND,),
        "workers": (_READ,),
        "alembic_version": (_READ,),
    },
    # Settling, mailing and sweeping. No password is changed and no session opened here.
    WORKER: {
        "requests": (
            _READ,
            "UPDATE (outcome, reason, settled_at, attempts, due_at, mailbox_digest, letter_id)",
            "DELETE",
        ),
        "mailboxes": (_READ, _APPEND, "UPDATE", "DELETE"),
        "users": (_READ, _HOLD),
        "roles": (_READ,),
        "entities": (_READ,),
        "resets": (_READ, _APPEND, "UPDATE (expires_at, ended_at, end_reason)", "DELETE"),
        "letters": (
            _READ,
            _APPEND,
            "UPDATE (state, due_at, attempts, lease, first_attempt_at, finished_at, smtp_code,"
            " smtp_text, queue_id, reset_id)",
            "DELETE",
        ),
        "events": ("SELECT (id, at)", _APPEND, "UPDATE (at)", "DELETE"),
        "sessions": ("SELECT (digest, expires_at)", _HOLD, "DELETE"),
        "api_tokens": ("SELECT (id, client_id, expires_at)", _HOLD, "DELETE"),
        "workers": (_READ, _APPEND, "UPDATE", "DELETE"),
        "alembic_version": (_READ,),
    },
}


def role_statements() -> list[str]:
    """Return the SQL that makes the roles and gives them their rights, no more and no less.

    Running it again is harmless and takes away what an earlier version granted too much. The
    roles may log in, but have no password yet: `ALTER ROLE authreset_intake PASSWORD '...'`.
    """
    return [statement for role, rights in RIGHTS.items() for statement in _grant(role, rights)]


async def grant_roles(database: Database) -> list[str]:
    """Run that SQL in one transaction and return it; nothing on SQLite, which has no roles.

    The tables must be there. Whoever runs it must own them and may make roles. Raises
    StoreUnavailable.
    """
    if not database.is_postgres:
        return []
    statements = role_statements()
    async with database.begin() as tx:
        await take_turn(tx)
        for statement in statements:
            await tx.execute(text(statement))
    return statements


def _grant(role: str, rights: dict[str, tuple[str, ...]]) -> Iterator[str]:
    yield _MAKE.format(role=role)
    yield _LET_IN.format(role=role)
    tables = ", ".join([*metadata.tables, "alembic_version"])
    yield f"REVOKE ALL ON {tables} FROM {role}"
    for table, granted in rights.items():
        yield f"GRANT {', '.join(granted)} ON {table} TO {role}"


# CREATE ROLE knows no IF NOT EXISTS, and a role belongs to every database of the server.
_MAKE = """DO $$ BEGIN
    CREATE ROLE {role} LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$"""

_LET_IN = """DO $$ BEGIN
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO {role}', current_database());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO {role}', current_schema());
END $$"""
