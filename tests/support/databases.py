"""Databases for tests, and what is put into them: a tenant tree, users, requests, letters.

Time and chance are here too: a clock that is moved by hand, and bytes that come from a seed.
"""

import random
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import EntityType, Template
from authreset.rules.tenancy import EntityRef
from authreset.store.database import Database, Transaction, database_url
from authreset.store.entities import EntryTaken, add_entity
from authreset.store.letters import NewLetter
from authreset.store.resets import Reset
from authreset.store.schema import migrate
from authreset.store.tables import metadata, requests
from authreset.store.users import EmailTaken, add_role, add_user
from tests.support.postgres import PostgresServer, run_apart

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TEMPLATE = "authreset_template"


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        """Return seconds from an arbitrary point."""
        return self.now.timestamp()

    def advance(self, **spans: float) -> datetime:
        """Move on, by `seconds=5` or the like, and return the new instant."""
        self.now += timedelta(**spans)
        return self.now


class SeededBytes:
    """Bytes that look random and are the same in every run."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def __call__(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def uuid(self) -> UUID:
        """Return a fresh id."""
        return UUID(bytes=self(16), version=4)


class SqliteDatabases:
    """Makes fresh SQLite databases quickly: copies of one that was migrated once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._template = directory / "template.db"
        self._made = 0

    def make(self) -> str:
        """Return the URL of a fresh database."""
        if not self._template.exists():
            _migrate(f"sqlite:///{self._template}")
        self._made += 1
        return f"sqlite:///{shutil.copyfile(self._template, self._directory / f'{self._made}.db')}"

    def drop(self, url: str) -> None:
        """Remove a database and what SQLite keeps beside it."""
        for path in self._directory.glob(f"{url.rpartition('/')[2]}*"):
            path.unlink()


class PostgresDatabases:
    """Makes migrated, empty PostgreSQL databases quickly: copies of one that was migrated once.

    A copy costs ten times what emptying one does, so those given back are emptied and used again.
    Whoever changes the tables themselves makes a database of their own.
    """

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._made = 0
        self._free: list[str] = []

    def make(self) -> str:
        """Return the URL of a migrated, empty database."""
        if self._free:
            return self._server.url(self._free.pop())
        if not self._made:
            _migrate(self._server.create_database(TEMPLATE))
        self._made += 1
        return self._server.create_database(f"test_{self._made}", template=TEMPLATE)

    def give_back(self, url: str) -> None:
        """Take a database back, whoever is still connected."""
        name = url.rpartition("/")[2]
        self._server.execute(_EMPTY, database=name)
        self._free.append(name)


_EMPTY = f"""DO $$
DECLARE sequence text;
BEGIN
    PERFORM pg_terminate_backend(pid, 10000) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL;
    SET LOCAL lock_timeout = '10s';
    SET LOCAL session_replication_role = 'replica';  -- in any order: no foreign key is asked
    {"; ".join(f"DELETE FROM {name}" for name in metadata.tables)};
    FOR sequence IN SELECT quote_ident(sequencename) FROM pg_sequences LOOP
        EXECUTE 'ALTER SEQUENCE ' || sequence || ' RESTART';
    END LOOP;
END $$"""


def open_database(url: str, **options: Any) -> Database:
    """Open a database as the program does."""
    return Database(database_url(url, Path("unused")), **options)


def _migrate(url: str) -> None:
    async def bring_up() -> None:
        database = open_database(url)
        await migrate(database)
        await database.close()

    run_apart(bring_up)


@dataclass(frozen=True, slots=True)
class Tree:
    """Two root organisations. The first has a sub-organisation and two paypoints.

    `users` are the first root's, one in each status, with a role at the node named beside it.
    """

    root: EntityRef
    sub: EntityRef
    shop: EntityRef  # below the root
    stall: EntityRef  # below the sub-organisation
    other: EntityRef  # another root
    users: dict[UserStatus, int]  # active: at the shop; inactive, locked, deleted: at the root
    stranger: int  # an active user of the other root, with the same address as the active one


EMAILS = {status: f"{status.name.lower()}@example.com" for status in UserStatus}


async def plant_tree(tx: Transaction, now: datetime = START) -> Tree:
    """Fill an empty database with a tenant tree and its users."""
    root = await add_node(tx, "pilgrim", now=now)
    sub = await add_node(tx, "pilgrim-north", parent=root, now=now)
    shop = await add_node(tx, "8cfec329267", EntityType.PAYPOINT, parent=root, now=now)
    stall = await add_node(tx, "stall", EntityType.PAYPOINT, parent=sub, now=now)
    other = await add_node(tx, "meridian", now=now)
    users = {
        status: await add_person(tx, root, EMAILS[status], status=status, now=now)
        for status in UserStatus
    }
    for status, user_id in users.items():
        at = shop if status is UserStatus.ACTIVE else root
        await add_role(tx, user_id, at.id, "admin")
    stranger = await add_person(tx, other, EMAILS[UserStatus.ACTIVE], now=now)
    await add_role(tx, stranger, other.id, "admin")
    return Tree(root, sub, shop, stall, other, users, stranger)


async def add_node(
    tx: Transaction,
    entry: str,
    type: EntityType = EntityType.ORGANIZATION,
    *,
    parent: EntityRef | None = None,
    now: datetime = START,
    **settings: Any,
) -> EntityRef:
    """Add a node of the tree."""
    added = await add_entity(
        tx, type=type, entry=entry, name=entry.title(), parent=parent, settings=settings, now=now
    )
    assert not isinstance(added, EntryTaken)
    return added


async def add_person(
    tx: Transaction,
    root: EntityRef,
    email: str,
    *,
    status: UserStatus = UserStatus.ACTIVE,
    password_hash: str | None = "hash-of-the-first-password",
    now: datetime = START,
) -> int:
    """Add a user and return the id."""
    added = await add_user(
        tx, root_id=root.id, email=email, email_key=email.lower(), name=email.partition("@")[0],
        status=status, password_hash=password_hash, now=now,
    )  # fmt: skip
    assert not isinstance(added, EmailTaken)
    return added


async def add_requests(
    tx: Transaction,
    ids: list[UUID],
    entity: EntityRef,
    *,
    email: str | None = EMAILS[UserStatus.ACTIVE],
    received_at: datetime = START,
    **values: Any,
) -> None:
    """Append requests as the intake does; each came in a microsecond after the one before it."""
    rows = [
        {
            "id": one, "received_at": received_at + timedelta(microseconds=n), "source": "api",
            "entity_id": entity.id, "root_id": entity.root_id, "email": email, **values,
        }
        for n, one in enumerate(ids)
    ]  # fmt: skip
    await tx.execute(insert(requests), rows)


def new_reset(
    random_bytes: SeededBytes,
    user_id: int,
    entity: EntityRef,
    *,
    now: datetime = START,
    lifetime: timedelta = timedelta(hours=1),
    deadline: timedelta = timedelta(hours=24),
) -> Reset:
    """Build a reset that no mail was accepted for yet."""
    return Reset(
        id=random_bytes.uuid(),
        user_id=user_id,
        entity_id=entity.id,
        token_digest=random_bytes(32),
        key_id=b"k1",
        lifetime_seconds=int(lifetime.total_seconds()),
        created_at=now,
        deadline_at=now + deadline,
    )


def new_letter(
    random_bytes: SeededBytes,
    user_id: int,
    entity: EntityRef,
    *,
    reset: Reset | None = None,
    now: datetime = START,
) -> NewLetter:
    """Build a letter that is due at once."""
    return NewLetter(
        id=random_bytes.uuid(),
        template=Template.RESET if reset else Template.PASSWORD_CHANGED,
        user_id=user_id,
        root_id=entity.root_id,
        entity_id=entity.id,
        recipient=EMAILS[UserStatus.ACTIVE],
        created_at=now,
        reset_id=reset.id if reset else None,
    )
