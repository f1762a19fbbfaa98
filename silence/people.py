"""Storing the users of every class by the thousand; run in the service's environment.

The only module that imports the product, and only when it is run.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from authreset.cli.opening import Opened, open_all
from authreset.clock import utc_now
from authreset.config import Settings, load_settings
from authreset.flows.add_organization import NewNode, add_organization
from authreset.flows.limit_mailbox import asked_digest, sent_digest
from authreset.hashing import HashingCost, PasswordHasher
from authreset.rules.addresses import address_key
from authreset.rules.lockout import UserStatus
from authreset.rules.tenancy import EntityRef
from authreset.store.database import Transaction
from authreset.store.entities import find_entity
from authreset.store.tables import mailboxes, roles, users
from authreset.store.users import FIRST_USER_ID
from silence import classes
from silence.classes import Kind, stored_address

OTHER_TENANT = "silence-elsewhere"
AT_ONCE = 5_000
FIRST_ID = FIRST_USER_ID + 1_000_000

_STATUSES = {
    classes.INACTIVE: UserStatus.INACTIVE,
    classes.DELETED: UserStatus.DELETED,
    classes.LOCKED: UserStatus.LOCKED,
}
FOREIGN_HASH = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"


async def store_people(settings: Settings, counts: dict[str, int], entry: str) -> None:
    """Store so many users of each class that has users, scattered among each other."""
    kinds = classes.find(counts)
    people = [(kind, n) for kind in kinds if kind.has_user for n in range(counts[kind.name])]
    random.Random(len(people)).shuffle(people)
    hashes = await _hashes()
    async with open_all(settings) as opened, opened.database.begin() as tx:
        home = await find_entity(tx, entry)
        away = await add_organization(
            tx, NewNode(OTHER_TENANT, "Elsewhere"), actor="silence", now=utc_now()
        )
        if home is None or not isinstance(away, EntityRef):
            raise LookupError(f"no entry {entry}, or this database was filled before")
        for start in range(0, len(people), AT_ONCE):
            some = list(enumerate(people[start : start + AT_ONCE], FIRST_ID + start))
            rows = [
                _user(id, kind, n, away if kind is classes.ELSEWHERE else home, hashes)
                for id, (kind, n) in some
            ]
            await _add(tx, rows, [_role(id, kind, home, away) for id, (kind, _) in some])
        await _fill_mailboxes(opened, tx, home, counts.get(classes.LIMITED.name, 0))


async def _add(tx: Transaction, rows: list[dict[str, Any]], held: list[dict[str, Any]]) -> None:
    await tx.execute(insert(users), rows)
    await tx.execute(insert(roles), held)


def _user(
    id: int, kind: Kind, number: int, entity: EntityRef, hashes: dict[Kind, str | None]
) -> dict[str, Any]:
    email, now = stored_address(kind, number), utc_now()
    is_locked = kind is classes.LOCKED
    return {
        "id": id,
        "root_id": entity.root_id,
        "email": email,
        "email_key": address_key(email),
        "name": "Silent Person",
        "status": int(_STATUSES.get(kind, UserStatus.ACTIVE)),
        "password_hash": hashes.get(kind, hashes[classes.WRONG]),
        "failed_logins": 10 if is_locked else 0,
        "locked_until": now + timedelta(days=1) if is_locked else None,
        "created_at": now,
    }


def _role(id: int, kind: Kind, home: EntityRef, away: EntityRef) -> dict[str, Any]:
    entity = away if kind is classes.ELSEWHERE else home
    return {"user_id": id, "entity_id": entity.id, "label": "User"}


async def _fill_mailboxes(opened: Opened, tx: Transaction, home: EntityRef, count: int) -> None:
    """Use up one of the two limits of each user of the limited class, by turns, for a day."""
    policy = opened.settings.mailbox_limits
    if policy is None or not count:
        return
    filled = {"hits": [time.time()] * policy.per_day, "updated_at": utc_now()}
    rows = []
    for number in range(count):
        email = stored_address(classes.LIMITED, number)
        if number % 2:
            digest = sent_digest(opened.keyring, home.root_id, email)
        else:
            digest = asked_digest(opened.keyring, home.id, email)
        rows.append({"digest": digest, **filled})
    for some in _portions(rows):
        await tx.execute(insert(mailboxes), some)


def _portions(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]


async def _hashes() -> dict[Kind, str | None]:
    """Return the hash that the users of a class have; one for all of them, for it is dear."""
    password = "the password that nobody sends"
    present, cheaper = PasswordHasher(), PasswordHasher(HashingCost(memory_kib=8 * 1024, passes=1))
    try:
        return {
            classes.WRONG: await present.hash(password),
            classes.NO_PASSWORD: None,
            classes.LEGACY: await cheaper.hash(password),
            classes.FOREIGN: FOREIGN_HASH,
        }
    finally:
        present.close()
        cheaper.close()


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    asyncio.run(store_people(load_settings(os.environ), asked["counts"], asked["entry"]))
