"""Users by the thousand, which no command of authreset adds; run in the service's environment.

The only module that imports the product, and only when it is run.
"""

import asyncio
import os
import sys


def member(number: int) -> str:
    """Return the address of a user of the crowd, counted from 0."""
    return f"member{number}@crowd.example"


async def add_crowd(count: int, entry: str) -> None:
    """Add so many users at an entry, in one transaction."""
    from authreset.cli.opening import open_all
    from authreset.clock import utc_now
    from authreset.config import load_settings
    from authreset.flows.add_user import NewUser, store_new_user
    from authreset.store.entities import find_entity

    async with open_all(load_settings(os.environ)) as opened, opened.database.begin() as tx:
        entity = await find_entity(tx, entry)
        if entity is None:
            raise LookupError(f"no entry {entry}")
        for number in range(count):
            new = NewUser(email=member(number), entry=entry, name=f"Member {number}")
            await store_new_user(tx, new, entity, None, actor="bench", now=utc_now())


if __name__ == "__main__":
    asyncio.run(add_crowd(int(sys.argv[1]), sys.argv[2]))
