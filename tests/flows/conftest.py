"""What the flows of the way back are tested with: real databases, real hashing at least cost."""

from collections.abc import Iterator

import pytest

from authreset.hashing import HashingCost, PasswordHasher
from authreset.rules.keyrings import KeyRing, SecretKey
from authreset.store.database import Database
from tests.support.databases import FakeClock, SeededBytes, Tree
from tests.support.recovery import MeanwhileHasher, Recovery

QUICK = HashingCost(memory_kib=64, passes=1)


@pytest.fixture
def keyring() -> KeyRing:
    """Make one key."""
    return KeyRing([SecretKey(bytes(range(32)))])


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    """Hash for real, but quickly."""
    hasher = PasswordHasher(QUICK, waiting=256)
    yield hasher
    hasher.close()


@pytest.fixture
async def recovery(
    database: Database,
    tree: Tree,
    keyring: KeyRing,
    hasher: PasswordHasher,
    clock: FakeClock,
    random_bytes: SeededBytes,
) -> Recovery:
    """Give the users of the tree passwords, and the flows that change them."""
    recovery = Recovery(database, tree, keyring, hasher, clock, random_bytes)
    await recovery.give_passwords()
    return recovery


@pytest.fixture
def interrupted(recovery: Recovery) -> Iterator[MeanwhileHasher]:
    """Let the flows hash with one that is interrupted, by what the test puts into `meanwhile`."""
    recovery.hasher = hasher = MeanwhileHasher(QUICK)
    yield hasher
    hasher.close()
