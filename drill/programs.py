"""The product's programs as an operator's init system runs them: started, watched, killed.

What they serve, and why they are killed, is not known here.
"""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.processes import ROOT, tree

RESTART_SECONDS = 1.0
"""How long the keeper leaves a program that ended, as `RestartSec` of systemd does."""

STOP_SECONDS = 30.0
NEVER = 0.0


@dataclass
class Program:
    """One command that is to run all the time. `health`: a URL that tells when it is ready."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    log: Path
    health: str = ""
    starts: int = 0
    unbidden: int = 0  # how often it ended without anybody having ended it
    ready_at: float = NEVER
    _process: subprocess.Popen[bytes] | None = None
    _is_wanted: bool = False
    _ended_at: float = NEVER
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def pid(self) -> int | None:
        """Return the pid of the program while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start it; the keeper keeps it running from now on."""
        with self._lock:
            self._is_wanted, self._ended_at, self.ready_at = True, NEVER, NEVER
            self.starts += 1
            with self.log.open("ab") as output:
                self._process = subprocess.Popen(
                    self.command,
                    cwd=ROOT,
                    env={**os.environ, **self.environ},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )

    def look_after(self) -> None:
        """Start it anew some time after it ended; note when it is ready. Called by the keeper."""
        with self._lock:
            if not self._is_wanted:
                return
            if self.pid is None:
                self._restart()
                return
            waited_for, is_known = self._process, self.ready_at != NEVER
        if not is_known and (not self.health or is_ready(self.health)):
            with self._lock:
                if self._process is waited_for:
                    self.ready_at = time.time()

    def _restart(self) -> None:
        if self._ended_at == NEVER:
            self._ended_at, self.ready_at = time.monotonic(), NEVER
            self.unbidden += 1
        elif time.monotonic() - self._ended_at > RESTART_SECONDS:
            self.start()

    def family(self) -> list[int]:
        """Return the program's own pid and those of all its children, the eldest first."""
        return [] if self.pid is None else tree(self.pid)

    def kill(self) -> None:
        """Kill it with all its children, at once; the keeper starts it anew."""
        with self._lock:
            send(self.family(), signal.SIGKILL)
            self._note_end()

    def kill_alone(self) -> None:
        """Kill it and leave its children behind."""
        with self._lock:
            send(self.family()[:1], signal.SIGKILL)
            self._note_end()

    def kill_children(self) -> None:
        """Kill its children and leave it alone."""
        send(self.family()[1:], signal.SIGKILL)
        self.ready_at = NEVER

    def stop(self) -> float:
        """Ask it to end, as an operator does; return how many seconds that took."""
        with self._lock:
            self._is_wanted, process, begun = False, self._process, time.monotonic()
            if process is None:
                return 0.0
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                self._is_wanted = False
            self.ready_at = NEVER
            return time.monotonic() - begun

    def pause(self, seconds: float) -> None:
        """Stop it with all its children in their tracks, and let them go on after a time."""
        paused = self.family()
        send(paused, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            send(paused, signal.SIGCONT)

    def _note_end(self) -> None:
        self._ended_at, self.ready_at = time.monotonic(), NEVER
        if self._process is not None:
            self._process.wait()


def is_ready(url: str) -> bool:
    """Tell whether a GET of the address is answered 200 within a moment."""
    try:
        with urllib.request.urlopen(url, timeout=0.3) as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        return False


def send(pids: Sequence[int], what: signal.Signals) -> None:
    """Send a signal to processes, those that are gone left out."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)


class Keeper:
    """Looks after programs from a thread of its own; a context manager that ends them all."""

    def __init__(self, programs: Sequence[Program]) -> None:
        self._programs = programs
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Keeper":
        for program in self._programs:
            program.start()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        stopping = [threading.Thread(target=one.stop) for one in self._programs]
        for one in stopping:
            one.start()
        for one in stopping:
            one.join()

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            for program in self._programs:
                program.look_after()


def authreset(*arguments: str) -> list[str]:
    """Return the command line of the product's program, in this very Python."""
    return [sys.executable, "-m", "authreset", *arguments]
