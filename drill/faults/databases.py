"""Faults of the database: gone, cut off, hung, read-only, locked, full."""

import time

from drill.faults.scene import Fault, Scene
from drill.place import DATABASE, Place, paused

DATABASE_PART = frozenset({"database"})
POSTGRES, SQLITE = frozenset({"postgres"}), frozenset({"sqlite"})
COMMIT_MICROSECONDS = 50_000
"""How long a commit is made to take, so that cutting connections meets many of them."""

CUTS_APART_SECONDS = 0.15


def crash(scene: Scene) -> None:
    """End PostgreSQL at once, as a crash does, and start it again, which recovers."""
    assert scene.place.postgres is not None
    scene.place.postgres.crash()
    scene.hold()
    scene.place.postgres.start()


def cut_connections(scene: Scene) -> None:
    """Cut every connection over and over, while commits take long."""
    assert scene.place.postgres is not None
    scene.place.set_in_postgres(commit_delay=str(COMMIT_MICROSECONDS), commit_siblings="0")
    until = time.monotonic() + scene.chance.uniform(*scene.seconds)
    while time.monotonic() < until:
        scene.place.postgres.terminate_backends(DATABASE)
        time.sleep(scene.chance.uniform(0.5, 1.5) * CUTS_APART_SECONDS)
    scene.place.set_in_postgres(commit_delay=None, commit_siblings=None)


def hang(scene: Scene) -> None:
    """Let PostgreSQL keep its connections and answer nothing."""
    assert scene.place.postgres is not None
    with paused(scene.place.postgres):
        scene.hold()


def hang_long(scene: Scene) -> None:
    """The same for longer than the intake remembers a token."""
    assert scene.place.postgres is not None
    with paused(scene.place.postgres):
        time.sleep(4)
        scene.hold()


def make_read_only(scene: Scene) -> None:
    """Let PostgreSQL refuse to write, as a standby does."""
    scene.place.set_in_postgres(default_transaction_read_only="on")
    scene.hold()
    scene.place.set_in_postgres(default_transaction_read_only=None)


def fill_disk(scene: Scene) -> None:
    """Leave no room where the tables lie, for as long as it takes to use up what they have."""
    with scene.place.disk_full():
        time.sleep(3)
        scene.hold()


def lock_file(scene: Scene) -> None:
    """Hold SQLite's write lock from another program."""
    with scene.place.sqlite_locked():
        scene.hold()


def _needs_small_disk(place: Place) -> str:
    return place.why_no_small_disk


DATABASES = (
    Fault("postgres-crashed", "immediate stop of PostgreSQL", DATABASE_PART, crash, POSTGRES),
    Fault(
        "postgres-cut", "all connections cut amid commits", DATABASE_PART, cut_connections, POSTGRES
    ),
    Fault("postgres-hung", "PostgreSQL answers nothing", DATABASE_PART, hang, POSTGRES),
    Fault("postgres-hung-long", "the same for 6 s and more", DATABASE_PART, hang_long, POSTGRES),
    Fault("read-only", "PostgreSQL refuses to write", DATABASE_PART, make_read_only, POSTGRES),
    Fault("sqlite-locked", "another program locks the file", DATABASE_PART, lock_file, SQLITE),
    Fault(
        "disk-full", "no room where the tables lie", DATABASE_PART, fill_disk,
        why_not=_needs_small_disk,
    ),
)  # fmt: skip
