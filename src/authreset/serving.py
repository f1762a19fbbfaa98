"""Processes: a small supervisor that listens once and keeps its children alive. Does no work.

The supervisor imports little, since it stays in memory for nothing but watching.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from authreset.config import ConfigError, Settings

STOP_SECONDS = 20.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0
BACKLOG = 2048

_LONE_WORKER = ["worker", "127.0.0.1", "8080"]
"""Links lead to this machine's `serve` where no public URL is set."""


@dataclass(slots=True)
class _Child:
    arguments: list[str]
    process: subprocess.Popen[bytes]
    started_at: float
    failures: int = 0
    restart_at: float | None = None


@dataclass(slots=True)
class Supervisor:
    """Starts children, starts anew those that die, and stops all of them with itself.

    Children hold the reading end of a pipe whose other end is ours alone: when we are killed, it
    closes, and they stop by themselves.
    """

    pass_fds: Sequence[int]
    environ: dict[str, str]
    _children: list[_Child] = field(default_factory=list)
    _stopping: bool = False

    def run(self, commands: Sequence[list[str]]) -> int:
        """Run until a signal to stop. Returns the exit status."""
        reading, writing = os.pipe()
        os.set_inheritable(writing, False)
        self.pass_fds = [*self.pass_fds, reading]
        self.environ["AUTHRESET_PARENT_FD"] = str(reading)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._begin_stop())
        self._children = [self._start(command) for command in commands]
        while not self._stopping:
            self._look_after()
            time.sleep(0.2)
        return self._finish()

    def _begin_stop(self) -> None:
        self._stopping = True

    def _start(self, arguments: list[str], failures: int = 0) -> _Child:
        process = subprocess.Popen(  # noqa: S603 -- our own module in our own interpreter
            [sys.executable, "-m", "authreset.children", *arguments],
            pass_fds=tuple(self.pass_fds),
            env=self.environ,
            start_new_session=True,  # a terminal's interrupt reaches us alone, and we stop them
        )
        return _Child(arguments, process, time.monotonic(), failures)

    def _look_after(self) -> None:
        now = time.monotonic()
        for place, child in enumerate(self._children):
            if child.process.poll() is None:
                continue
            if child.restart_at is None:
                lived = now - child.started_at
                child.failures = 0 if lived > 60 else child.failures + 1
                pause = min(FIRST_PAUSE * 2 ** max(child.failures - 1, 0), LONGEST_PAUSE)
                child.restart_at = now + pause
                _say(
                    f"{child.arguments[0]} process ended with {child.process.returncode}; "
                    f"starting it again in {pause:g} s"
                )
            elif now >= child.restart_at:
                self._children[place] = self._start(child.arguments, child.failures)

    def _finish(self) -> int:
        for child in self._children:
            if child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self._children:
            try:
                child.process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        return 0


def run_serve(
    settings: Settings, *, host: str, port: int, processes: int = 1, with_worker: bool = True
) -> int:
    """Serve the API and the pages, and run a worker unless told not to. Returns the exit status.

    Raises ConfigError when the settings do not fit, OSError when the address is taken.
    """
    if processes > 1 and settings.is_embedded:
        raise ConfigError(
            "--processes: the embedded SQLite database takes requests through one process; "
            "set AUTHRESET_DATABASE_URL to a PostgreSQL database to run more"
        )
    listener = _listen(host, port)
    with tempfile.TemporaryDirectory(prefix="authreset-metrics-") as metrics:
        environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": metrics}
        bound_port = str(listener.getsockname()[1])
        web = ["web", str(listener.fileno()), host, bound_port]
        commands = [web] * processes + [["worker", host, bound_port]] * with_worker
        try:
            return Supervisor([listener.fileno()], environ).run(commands)
        finally:
            listener.close()
            shutil.rmtree(metrics, ignore_errors=True)


def run_worker(metrics_at: tuple[str, int] | None = None) -> int:
    """Run a worker alone. It can be reached only where it is told to show its metrics.

    Raises OSError when that address is taken.
    """
    environ = dict(os.environ)
    if metrics_at is None:
        return Supervisor([], environ).run([_LONE_WORKER])
    with _listen(*metrics_at) as listener:
        fd = listener.fileno()
        return Supervisor([fd], environ).run([[*_LONE_WORKER, str(fd)]])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    return listener


def _say(text: str) -> None:
    sys.stderr.write(f"authreset: {text}\n")
