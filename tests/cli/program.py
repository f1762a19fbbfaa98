"""The program as a test uses it: run a verb, look at its streams, its status and its database."""

import asyncio
import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from authreset.store.database import Database, Transaction
from tests.support.databases import open_database

ROOT = Path(__file__).parents[2]
CLEAN = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT / "src")}
PASSWORD = "eleven kites above a quiet meadow"

T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """How a run ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object that stands alone on standard output."""
        assert self.out.endswith("\n"), self
        assert self.out.count("\n") == 1, self
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


class Warm:
    """A process that has imported the program and forks for each run."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.cli.warm"],
            cwd=ROOT, env=CLEAN, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, arguments: list[str], environ: dict[str, str], stdin: str) -> Result:
        """Run the program once."""
        files = {name: self._directory / name for name in ("in", "out", "err")}
        files["in"].write_text(stdin)
        files["out"].write_text("")
        files["err"].write_text("")
        asked = {"arguments": arguments, "environ": environ, "directory": str(self._directory)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        names = {name: str(path) for name, path in files.items()}
        self._process.stdin.write(json.dumps(asked | names) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return Result(status, files["out"].read_text(), files["err"].read_text())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@dataclass
class Program:
    """The program in a place of its own. `environ` is added to what every run gets."""

    warm: Warm
    data_dir: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, stdin: str = "", **environ: str) -> Result:
        """Run a verb; keyword arguments are settings such as SMTP_URL."""
        settings = {f"AUTHRESET_{name}": value for name, value in environ.items()}
        given = {"AUTHRESET_DATA_DIR": str(self.data_dir), **self.environ, **settings}
        return self.warm.run(list(arguments), {**CLEAN, **given}, stdin)

    def do(self, *arguments: str, stdin: str = "", **environ: str) -> dict[str, Any]:
        """Run a verb that must succeed and return its JSON."""
        result = self(*arguments, "--json", stdin=stdin, **environ)
        assert (result.status, result.err) == (0, ""), result
        return result.json

    def refuse(self, *arguments: str, stdin: str = "", **environ: str) -> dict[str, Any]:
        """Run a verb that must be refused, in both forms alike, and return its JSON."""
        for_people = self(*arguments, stdin=stdin, **environ)
        assert for_people.status == 1, for_people
        assert for_people.out == ""
        result = self(*arguments, "--json", stdin=stdin, **environ)
        assert (result.status, result.err) == (1, ""), result
        refusal = result.json
        assert refusal["todo"]
        assert for_people.err == (
            f"authreset: {refusal['error']}\n  What to do: {refusal['todo']}\n"
        )
        return refusal

    def place(self, template: Path) -> None:
        """Put a migrated, empty database in place, and a key."""
        self.data_dir.mkdir(exist_ok=True)
        shutil.copyfile(template, self.data_dir / "authreset.db")
        # A database that was used has a key beside it; without one the program would not begin.
        key = self.data_dir / "secret.key"
        key.touch(mode=0o600)
        key.write_text(f"{secrets.token_urlsafe(32)}\n")

    def look(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Work on the program's database in one transaction."""

        async def attempt() -> T:
            database = self.open()
            try:
                async with database.begin() as tx:
                    return await work(tx)
            finally:
                await database.close()

        return asyncio.run(attempt())

    def open(self) -> Database:
        """Open the program's database."""
        return open_database(f"sqlite:///{self.data_dir / 'authreset.db'}")
