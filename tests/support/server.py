"""The real program: `authreset` with a directory, a port and processes of its own.

Everything it starts is found by its data directory and ended with it, whatever a test did.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
PATIENCE = 60.0
"""Seconds until something that does not start or stop is a failure."""


class Service:
    """An installation: it keeps its port and its data over restarts."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.data = home / "data"
        self.settings = settings
        self._programs: list[subprocess.Popen[bytes]] = []
        # Bound and not listening, it keeps the port from everybody but who asks for it by number.
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind((HOST, 0))
        self.port = int(self._holder.getsockname()[1])
        home.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """The address of the pages."""
        return f"http://{HOST}:{self.port}"

    @property
    def database(self) -> Path:
        """The file of the embedded database."""
        return self.data / "authreset.db"

    def environ(self, **settings: str) -> dict[str, str]:
        """Return the environment of its programs: this one's, with the installation's settings."""
        kept = {name: value for name, value in os.environ.items() if "AUTHRESET" not in name}
        given = {"data_dir": str(self.data)} | self.settings | settings
        return kept | {f"AUTHRESET_{name.upper()}": value for name, value in given.items()}

    # Verbs

    def run(self, *verb: str, typed: str = "") -> dict[str, Any]:
        """Run a verb to its end and return its answer."""
        done = subprocess.run(
            [sys.executable, "-m", "authreset", *verb, "--json"],
            env=self.environ(),
            input=typed,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, f"{verb}: {done.stdout}{done.stderr}"
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    # Processes

    def start(self, *options: str) -> None:
        """Serve, with a worker unless the options say otherwise; returns when it is ready."""
        self._spawn("serve", "--host", HOST, "--port", str(self.port), *options)
        self.wait_until_ready()

    def start_worker(self, **settings: str) -> None:
        """Start a worker alone, with other settings where they are given."""
        self._spawn("worker", settings=settings)

    def wait_until_ready(self) -> None:
        """Return once the API answers that its database is there."""

        def is_ready() -> bool:
            assert self._programs[-1].poll() is None, self.log()[-3000:]
            with suppress(httpx.TransportError):
                return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
            return False

        wait_until(is_ready, self.log)

    def terminate(self) -> None:
        """End everything in good order, as an operator does."""
        for program in self._programs:
            program.terminate()
        for program in self._programs:
            program.wait(PATIENCE)
        self._programs.clear()
        wait_until(lambda: not self.processes(), self.log)

    def kill9(self) -> None:
        """Kill every process at once, as the end of all memory or a pulled plug does."""
        while found := self.processes():
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for program in self._programs:
            program.wait(PATIENCE)
        self._programs.clear()

    def processes(self) -> list[int]:
        """Return the pids of all its living processes, the eldest first."""
        mark = f"AUTHRESET_DATA_DIR={self.data}\0".encode()
        return sorted(int(one.name) for one in Path("/proc").glob("[0-9]*") if _has_mark(one, mark))

    def close(self) -> None:
        """Leave nothing running, and give the port back."""
        self.kill9()
        self._holder.close()

    # What it wrote

    def log(self) -> str:
        """Return what its programs wrote, all starts together."""
        written = (path.read_text("utf-8", "replace") for path in sorted(self.home.glob("*.log")))
        return "".join(written)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of the log that tell of one kind of event."""
        lines = (json.loads(line) for line in self.log().splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("event") == name]

    def _spawn(self, *arguments: str, settings: Mapping[str, str] = {}) -> None:
        with (self.home / f"{arguments[0]}.log").open("ab") as log:
            self._programs.append(
                subprocess.Popen(
                    [sys.executable, "-m", "authreset", *arguments],
                    cwd=ROOT,
                    env=self.environ(**settings),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )


@contextmanager
def service(home: Path, **settings: str) -> Iterator[Service]:
    """Make an installation, and leave no process of it behind."""
    made = Service(home, **settings)
    try:
        yield made
    finally:
        made.close()


def wait_until(is_so: Any, complaint: Any = lambda: "", seconds: float = PATIENCE) -> None:
    """Look again and again until something is so; fail with the complaint after so long."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, f"not so within {seconds:g} s\n{complaint()[-3000:]}"
        time.sleep(0.02)


def _has_mark(process: Path, mark: bytes) -> bool:
    try:
        if b") Z " in (process / "stat").read_bytes():
            return False  # it has ended; its parent has not looked yet
        return mark in (process / "environ").read_bytes()
    except OSError:
        return False
