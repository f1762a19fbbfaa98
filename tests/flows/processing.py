"""A worker's bench: rules with a clock moved by hand, requests as the intake leaves them.

Nothing here decides; it asks, settles, and reads back what the tables then say.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Table, select

from authreset.flows.mail_links import ProcessingRules
from authreset.flows.process_requests import process_requests
from authreset.rules.keyrings import KeyRing, SecretKey
from authreset.rules.limits import MailboxPolicy
from authreset.rules.lockout import UserStatus
from authreset.rules.tenancy import EntityRef
from authreset.store.database import Database
from authreset.store.requests import Settlement
from authreset.store.tables import letters, requests, resets
from authreset.store.users import add_role
from tests.support.databases import (
    EMAILS,
    FakeClock,
    SeededBytes,
    Tree,
    add_person,
    add_requests,
    plant_tree,
)

ACTIVE = EMAILS[UserStatus.ACTIVE]
KEYS = KeyRing([SecretKey(b"the first key of these tests, 32+")])
LINK_LIFETIME = timedelta(minutes=60)


def processing_rules(
    clock: FakeClock, random_bytes: SeededBytes, keys: KeyRing = KEYS, **changes: Any
) -> ProcessingRules:
    """Build rules with the default limits of a mailbox."""
    rules = ProcessingRules(
        keyring=keys,
        clock=clock,
        new_id=random_bytes.uuid,
        mailbox=MailboxPolicy(),
        link_lifetime=LINK_LIFETIME,
    )
    return replace(rules, **changes)


@dataclass
class Bench:
    """One worker's view of one database."""

    database: Database
    tree: Tree
    clock: FakeClock
    random_bytes: SeededBytes
    rules: ProcessingRules

    @classmethod
    async def set_up(cls, database: Database, clock: FakeClock) -> "Bench":
        """Plant the tree and take the default rules."""
        random_bytes = SeededBytes()
        async with database.begin() as tx:
            tree = await plant_tree(tx, clock())
        return cls(database, tree, clock, random_bytes, processing_rules(clock, random_bytes))

    async def ask(
        self, email: str | None = ACTIVE, entity: EntityRef | None = None, **values: Any
    ) -> UUID:
        """Append a request, at the root unless it says where."""
        return (await self.ask_often(1, email, entity, **values))[0]

    async def ask_often(
        self, count: int, email: str | None = ACTIVE, entity: EntityRef | None = None, **values: Any
    ) -> list[UUID]:
        """Append so many alike."""
        ids = [self.random_bytes.uuid() for _ in range(count)]
        received_at: datetime = values.pop("received_at", self.clock())
        async with self.database.begin() as tx:
            await add_requests(
                tx,
                ids,
                entity or self.tree.root,
                email=email,
                received_at=received_at,
                **values,
            )
        return ids

    async def settle(self, limit: int = 500) -> list[Settlement]:
        """Settle what waits."""
        return await process_requests(self.database, self.rules, limit)

    async def outcome_of(self, email: str | None = ACTIVE, *where: Any, **values: Any) -> str:
        """Ask, settle, and return the outcome."""
        request_id = await self.ask(email, *where, **values)
        await self.settle()
        return str((await self.request(request_id))["outcome"])

    async def request(self, request_id: UUID) -> dict[str, Any]:
        """Return a request's row."""
        (row,) = [one for one in await self.rows(requests) if one["id"] == request_id]
        return row

    async def rows(self, table: Table) -> list[dict[str, Any]]:
        """Return every row of a table."""
        return await rows_of(self.database, table)

    async def letters(self) -> list[dict[str, Any]]:
        """Return the outbox, the oldest first."""
        return sorted(await self.rows(letters), key=lambda row: row["created_at"])

    async def resets(self, *, live: bool = False) -> list[dict[str, Any]]:
        """Return resets, the oldest first; of `live` ones those that were not ended."""
        rows = sorted(await self.rows(resets), key=lambda row: row["created_at"])
        return [row for row in rows if not live or row["ended_at"] is None]

    async def add_active_user(self, email: str, at: EntityRef | None = None) -> int:
        """Add an active user of the root, with a role there unless it says where."""
        async with self.database.begin() as tx:
            user_id = await add_person(tx, self.tree.root, email, now=self.clock())
            await add_role(tx, user_id, (at or self.tree.root).id, "user")
        return user_id


async def rows_of(database: Database, table: Table) -> list[dict[str, Any]]:
    """Return every row of a table."""
    async with database.read() as tx:
        return [dict(row) for row in (await tx.execute(select(table))).mappings()]
