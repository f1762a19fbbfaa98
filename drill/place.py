"""Where a drill happens: a directory, a database of its own, and what the product is set to.

What is broken there, and when, lives in `faults`.
"""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.processes import ROOT, tree
from tests.support.postgres import PostgresServer, free_port, unprivileged

from authreset.store.database import Database, database_url
from drill.programs import authreset, send

SMTP_SECONDS = 1.0
"""The longest wait for any step with the mail server, which is 60 where nothing is set."""

LEASE_SECONDS = 5 * SMTP_SECONDS
"""A lease lasts a quarter longer than the longest sending, which has four such steps."""

PER_HOUR, SPACING = 5, 5
DATABASE = "drill"
SMALL_DISK = 192 * 2**20


class CannotDrill(RuntimeError):
    """The drill cannot begin; the text says why."""


@dataclass
class Place:
    """A database and a data directory. `small_disk`: where it can be filled up, or why not."""

    directory: Path
    smtp_port: int
    postgres: PostgresServer | None
    small_disk: Path | None
    why_no_small_disk: str = ""
    smtp_seconds: float = SMTP_SECONDS
    port: int = field(default_factory=free_port)
    demo: dict[str, Any] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """The product's data directory; where SQLite is used, the small disk itself."""
        on_small = self.postgres is None and self.small_disk is not None
        return self.small_disk if on_small and self.small_disk else self.directory / "data"

    def url(self, role: str = "postgres") -> str:
        """Return the setting of the database's URL; "" means the file in the data directory."""
        return self.postgres.url(DATABASE, user=role) if self.postgres else ""

    def open(self) -> Database:
        """Open the database for the drill itself."""
        return Database(database_url(self.url(), self.data), pool_size=2)

    def environ(self, name: str, role: str = "postgres") -> dict[str, str]:
        """Return the product's settings for one program; its name is what it tells in EHLO."""
        mail = f"starttls=off&timeout={self.smtp_seconds:g}&helo={name}"
        return {
            "AUTHRESET_DATABASE_URL": self.url(role),
            "AUTHRESET_DATA_DIR": str(self.data),
            "AUTHRESET_SMTP_URL": f"smtp://127.0.0.1:{self.smtp_port}?{mail}",
            "AUTHRESET_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "AUTHRESET_LIMIT_TOKEN": "off",
            "AUTHRESET_LIMIT_ADDRESS": "off",
            "AUTHRESET_MAILBOX_LIMITS": f"{PER_HOUR},20,{SPACING}",
            "AUTHRESET_LOG_FORMAT": "json",
            "TMPDIR": str(self.directory),
        }

    def call(self, *arguments: str) -> dict[str, Any]:
        """Run a verb of the product and return what it printed; CannotDrill unless it succeeds."""
        answer, status = self.ask(*arguments)
        if status:
            raise CannotDrill(f"authreset {arguments[0]}: {answer}")
        return answer

    def ask(self, *arguments: str) -> tuple[dict[str, Any], int]:
        """Run a verb of the product; return what it printed and its exit status."""
        done = subprocess.run(
            authreset(*arguments, "--json"),
            cwd=ROOT,
            env={**os.environ, **self.environ("drill")},
            capture_output=True,
            text=True,
        )
        try:
            return json.loads(done.stdout), done.returncode
        except ValueError:
            return {"error": (done.stderr or done.stdout)[-500:]}, done.returncode or 1

    # What faults do to the database

    def set_in_postgres(self, **settings: str | None) -> None:
        """Change settings of the running server; None sets one back."""
        assert self.postgres is not None
        changes = [
            f"ALTER SYSTEM RESET {name}" if value is None else f"ALTER SYSTEM SET {name} = {value}"
            for name, value in settings.items()
        ]
        self.postgres.execute(
            "SET default_transaction_read_only = off", *changes, "SELECT pg_reload_conf()"
        )

    @contextmanager
    def sqlite_locked(self) -> Iterator[None]:
        """Hold the write lock of the file, as a careless backup does."""
        with sqlite3.connect(
            self.data / "authreset.db", timeout=10, isolation_level=None
        ) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
        connection.close()

    @contextmanager
    def disk_full(self) -> Iterator[None]:
        """Leave no room on the small disk."""
        assert self.small_disk is not None
        ballast = self.small_disk / "ballast"
        try:
            fill_up(ballast)
            yield
        finally:
            ballast.unlink()


@contextmanager
def paused(server: PostgresServer) -> Iterator[None]:
    """Stop a server's processes in their tracks: connections stay, answers do not come."""
    pid = int((server.home / "data" / "postmaster.pid").read_text().split()[0])
    stopped = tree(pid)
    send(stopped, signal.SIGSTOP)
    try:
        yield
    finally:
        send(stopped, signal.SIGCONT)


def fill_up(path: Path) -> None:
    """Write until nothing more fits."""
    block = bytes(2**20)
    with path.open("wb", buffering=0) as file:
        while len(block) > 1:
            try:
                while file.write(block) == len(block):
                    pass
            except OSError:
                pass
            block = block[: len(block) // 2]


@contextmanager
def make_place(database: str, smtp_port: int, *, is_kept: bool = False) -> Iterator[Place]:
    """Make a place in a directory that is removed in the end unless kept. Raises CannotDrill."""
    directory = Path(tempfile.mkdtemp(prefix="authreset-drill-", dir="/var/tmp"))
    directory.chmod(0o755)  # PostgreSQL's own user passes through it
    server: PostgresServer | None = None
    small, why = _mount_small(directory / "small")
    try:
        (directory / "data").mkdir()
        if database == "postgres":
            (directory / "pg").mkdir()
            server = PostgresServer(directory / "pg")
            server.start()
        made = Place(directory, smtp_port, server, small, why)
        _prepare(made)
        yield made
    finally:
        if server is not None:
            server.crash()
        if small is not None:
            _unmount(small)
        if not is_kept:
            shutil.rmtree(directory, ignore_errors=True)


def _prepare(made: Place) -> None:
    if made.postgres is not None:
        made.postgres.create_database(DATABASE)
    made.call("migrate")
    if made.postgres is not None and made.small_disk is not None:
        _move_tables(made.postgres, made.small_disk)
    made.demo = made.call("demo")


def _move_tables(server: PostgresServer, small: Path) -> None:
    """Put the tables that grow where the disk can be filled up; the journal of PostgreSQL stays.

    A full disk under the journal (WAL) makes PostgreSQL itself end, which is another fault.
    """
    server.execute(f"CREATE TABLESPACE small LOCATION '{small}'")
    server.execute(
        *[f"ALTER TABLE {name} SET TABLESPACE small" for name in ("requests", "letters", "resets")],
        database=DATABASE,
    )


def _mount_small(at: Path) -> tuple[Path | None, str]:
    """Mount a small disk in memory, which only root may; return it, or why there is none."""
    if os.geteuid() != 0:
        return None, "a small disk to fill up needs root, to mount it"
    at.mkdir()
    size = f"size={SMALL_DISK},mode=0755"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(at)], capture_output=True, text=True
    )
    if done.returncode:
        return None, f"no small disk could be mounted: {done.stderr.strip()}"
    account = unprivileged()
    inner = at / "disk"
    inner.mkdir()
    if account is not None:
        os.chown(inner, account.pw_uid, account.pw_gid)
    return inner, ""


def _unmount(small: Path) -> None:
    for _ in range(50):
        if subprocess.run(["umount", str(small.parent)], capture_output=True).returncode == 0:
            return
        time.sleep(0.1)
