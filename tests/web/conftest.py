"""The application over each kind of database."""

from collections.abc import AsyncIterator

import pytest

from tests.flows.conftest import hasher, interrupted, keyring, recovery
from tests.support.recovery import Recovery
from tests.support.site import Site

__all__ = ["hasher", "interrupted", "keyring", "recovery"]


@pytest.fixture
async def site(recovery: Recovery) -> AsyncIterator[Site]:
    """Serve in this process, with the users of the tree and their passwords."""
    site = Site(recovery)
    yield site
    await site.close()
