"""The users of the classes: what the worker makes of a request for each is what the class says."""

from pathlib import Path
from uuid import uuid4

from silence.classes import RESET_KINDS, address
from silence.people import store_people

from authreset.clock import utc_now
from authreset.config import Settings
from authreset.flows.process_requests import process_requests
from authreset.keys import load_keyring
from authreset.store.database import Database, database_url
from authreset.store.entities import find_entity
from authreset.store.tables import requests
from tests.flows.processing import processing_rules, rows_of
from tests.support.databases import FakeClock, SeededBytes, add_node, add_requests

OUTCOMES = {
    "unknown": "no_user",
    "active": "mailed",
    "inactive": "inactive",
    "deleted": "no_user",
    "locked": "mailed",
    "elsewhere": "no_user",
    "limited": "limited",
    "unicode-unknown": "no_user",
    "unicode": "mailed",
}


async def test_each_class_ends_as_it_says(sqlite_url: str, tmp_path: Path) -> None:
    settings = Settings(database_url=sqlite_url, data_dir=tmp_path)
    keys = load_keyring(settings, SeededBytes())
    database = Database(database_url(sqlite_url, tmp_path))
    async with database.begin() as tx:
        await add_node(tx, "home")
    await store_people(settings, {kind.name: 4 for kind in RESET_KINDS}, "home")
    typed = {address(kind, n): kind.name for kind in RESET_KINDS for n in range(4)}
    async with database.begin() as tx:
        home = await find_entity(tx, "home")
        assert home is not None
        for email in typed:
            await add_requests(tx, [uuid4()], home, email=email, received_at=utc_now())

    await process_requests(
        database, processing_rules(FakeClock(utc_now()), SeededBytes(), keys), 500
    )
    found = {(typed[row["email"]], row["outcome"]) for row in await rows_of(database, requests)}
    await database.close()

    assert OUTCOMES.keys() == {kind.name for kind in RESET_KINDS}
    assert found == set(OUTCOMES.items())
