"""The drill's own eyes in the database: a trigger that notes each change of a letter, and rows.

The product does not know the trigger. Nothing is judged here.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, insert, literal, select, text
from sqlalchemy.sql import Select

from authreset.rules.addresses import address_key
from authreset.rules.lockout import UserStatus
from authreset.store.database import Database, Transaction
from authreset.store.entities import find_entity
from authreset.store.tables import letters, requests, resets, roles, users
from drill.ledgers import Change, LetterRow, Person, RequestRow, ResetRow, person_of

_COLUMNS = "letter_id, actor, lease_before, lease_after, state_before, state_after, queue_id"
_NEW = "OLD.lease, NEW.lease, OLD.state, NEW.state, NEW.queue_id"

ON_POSTGRES = (
    "CREATE TABLE drill_changes (number bigserial PRIMARY KEY, at float8, letter_id uuid,"
    " actor text, lease_before int, lease_after int, state_before text, state_after text,"
    " queue_id text)",
    f"CREATE FUNCTION drill_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    f" INSERT INTO drill_changes (at, {_COLUMNS})"
    f" VALUES (extract(epoch FROM clock_timestamp()), NEW.id, session_user, {_NEW});"
    " RETURN NULL; END $$",
    "CREATE TRIGGER drill_note AFTER UPDATE ON letters FOR EACH ROW EXECUTE FUNCTION drill_note()",
)
ON_SQLITE = (
    "CREATE TABLE drill_changes (number integer PRIMARY KEY, at real, letter_id, actor,"
    " lease_before, lease_after, state_before, state_after, queue_id)",
    "CREATE TRIGGER drill_note AFTER UPDATE ON letters BEGIN"
    f" INSERT INTO drill_changes (at, {_COLUMNS})"
    f" VALUES ((julianday('now') - 2440587.5) * 86400.0, NEW.id, '', {_NEW}); END",
)


async def add_trigger(database: Database) -> None:
    """Let the database note every change of a letter from now on."""
    async with database.begin() as tx:
        for statement in ON_POSTGRES if database.is_postgres else ON_SQLITE:
            await tx.exec_driver_sql(statement)


async def add_people(database: Database, entry: str, emails: list[str]) -> None:
    """Add a user for each address, with a role at the entry."""
    now = datetime.now(UTC)
    async with database.begin() as tx:
        entity = await find_entity(tx, entry)
        if entity is None:
            raise LookupError(f"no entry {entry}")
        await tx.execute(insert(users), [_user(email, entity.root_id, now) for email in emails])
        added = select(users.c.id, literal(entity.id), literal("member")).where(
            users.c.created_at == now
        )
        await tx.execute(insert(roles).from_select(["user_id", "entity_id", "label"], added))


def _user(email: str, root_id: int, now: datetime) -> dict[str, Any]:
    asleep = person_of(email) is Person.ASLEEP
    return {
        "root_id": root_id,
        "email": email,
        "email_key": address_key(email),
        "name": email.partition("@")[0],
        "status": UserStatus.INACTIVE if asleep else UserStatus.ACTIVE,
        "created_at": now,
    }


async def count_unfinished(database: Database) -> tuple[int, int]:
    """Return how many requests are not settled and how many letters are still on their way."""
    async with database.read() as tx:
        waiting = select(func.count()).select_from(requests).where(requests.c.outcome.is_(None))
        unsent = select(func.count()).select_from(letters).where(letters.c.finished_at.is_(None))
        return (await tx.execute(waiting)).scalar_one(), (await tx.execute(unsent)).scalar_one()


async def read_users(tx: Transaction) -> dict[str, int]:
    """Return the ids of all users by address."""
    return dict((await tx.execute(select(users.c.email, users.c.id))).all())


async def read_requests(tx: Transaction) -> list[RequestRow]:
    """Return every request."""
    return [
        RequestRow(
            id=row["id"].hex,
            email=row["email"] or "",
            received_at=row["received_at"].timestamp(),
            outcome=row["outcome"],
            settled_at=_epoch(row["settled_at"]),
            letter_id=row["letter_id"] and row["letter_id"].hex,
        )
        for row in await _rows(tx, select(requests).order_by(requests.c.received_at))
    ]


async def read_letters(tx: Transaction) -> list[LetterRow]:
    """Return every letter."""
    return [
        LetterRow(
            id=row["id"].hex,
            user_id=row["user_id"],
            reset_id=row["reset_id"] and row["reset_id"].hex,
            recipient=row["recipient"],
            state=row["state"],
            created_at=row["created_at"].timestamp(),
            smtp_code=row["smtp_code"],
            queue_id=row["queue_id"],
        )
        for row in await _rows(tx, select(letters))
    ]


async def read_resets(tx: Transaction) -> list[ResetRow]:
    """Return every reset."""
    return [
        ResetRow(
            id=row["id"].hex,
            user_id=row["user_id"],
            token_digest=row["token_digest"],
            created_at=row["created_at"].timestamp(),
            ended_at=_epoch(row["ended_at"]),
            expires_at=_epoch(row["expires_at"]),
            deadline_at=row["deadline_at"].timestamp(),
        )
        for row in await _rows(tx, select(resets))
    ]


async def read_changes(tx: Transaction) -> list[Change]:
    """Return every change that the trigger noted, in order."""
    found = await tx.execute(text(f"SELECT at, {_COLUMNS} FROM drill_changes ORDER BY number"))
    return [
        Change(**{**row, "letter_id": str(row["letter_id"]).replace("-", "")})
        for row in found.mappings()
    ]


async def _rows(tx: Transaction, query: Select[Any]) -> Any:
    return (await tx.execute(query)).mappings()


def _epoch(instant: datetime | None) -> float | None:
    return None if instant is None else instant.timestamp()
