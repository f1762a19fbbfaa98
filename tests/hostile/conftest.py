"""The application over an embedded database, on a real port and in this process."""

from collections.abc import AsyncIterator

import pytest

from tests.flows.conftest import hasher, keyring, recovery
from tests.hostile.raw import Visitor, visitor_of
from tests.support.recovery import Recovery
from tests.support.site import Site

__all__ = ["hasher", "keyring", "recovery"]


@pytest.fixture
def url(sqlite_url: str) -> str:
    """Use the embedded database: what is tried here never comes as far as the database's kind."""
    return sqlite_url


@pytest.fixture
async def site(recovery: Recovery) -> AsyncIterator[Site]:
    """Serve in this process, with the users of the tree and their passwords."""
    site = Site(recovery)
    yield site
    await site.close()


@pytest.fixture
async def visitor(site: Site) -> AsyncIterator[Visitor]:
    """Open a port and tell a stranger of it."""
    async with visitor_of(site) as made:
        yield made
