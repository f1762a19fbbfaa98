"""Processes under test: starting them on their cores, ending them, and what /proc says of them.

What a process is for is not known here.
"""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")


class StartError(RuntimeError):
    """A process ended, or did not get ready in time; the text ends with its last output."""


def free_port() -> int:
    """Return a TCP port of the loopback address that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def pinned(cores: Sequence[int], command: Sequence[str]) -> list[str]:
    """Return the command line that runs a command on these cores only."""
    return ["taskset", "-c", ",".join(map(str, cores)), *command]


@contextmanager
def running(
    command: Sequence[str], cores: Sequence[int], env: Mapping[str, str], log: Path
) -> Iterator[int]:
    """Run a command in a process group of its own; yield its pid, end the group afterwards."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            pinned(cores, command),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process.pid
    finally:
        end(process)


def end(process: subprocess.Popen[bytes], patience: float = 20.0) -> None:
    """Ask a process to end, then kill what is left of its group."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_ready(url: str, pid: int, log: Path, patience: float = 60.0) -> None:
    """Return once the address answers 200; raise StartError if the process ends first."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if answers(url):
            return
        if not alive(pid):
            break
        time.sleep(0.005)
    raise StartError(f"{url} did not become ready: {tail(log)}")


def answers(url: str) -> bool:
    """Tell whether a GET of the address is answered 200 now."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def tail(log: Path, size: int = 1500) -> str:
    """Return the end of a log file."""
    return log.read_text(errors="replace")[-size:].strip() if log.exists() else ""


def alive(pid: int) -> bool:
    """Tell whether a process runs (a zombie does not)."""
    fields = _stat(pid)
    return fields is not None and fields[0] != "Z"


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the state on, None for no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def tree(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        fields = _stat(int(entry.name)) if entry.name.isdigit() else None
        if fields is not None:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for known in found:
        found.extend(children.get(known, []))
    return found


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process tree, with that of its ended processes.

    Of processes that run it is exact; their threads that ended are left out. Of ended processes
    it is in clock ticks (10 ms).
    """
    return sum(_own_seconds(member) + _ended_seconds(member) for member in tree(pid))


def _own_seconds(pid: int) -> float:
    spent = 0
    with suppress(OSError):  # it may have ended since it was listed
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with suppress(OSError):
                spent += int(thread.read_text().split()[0])
    return spent / 1e9


def _ended_seconds(pid: int) -> float:
    fields = _stat(pid)
    return 0.0 if fields is None else (int(fields[13]) + int(fields[14])) / TICKS


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of a process tree in MiB; `pss` counts a shared page once."""

    rss: float
    pss: float


def memory(pid: int) -> Memory:
    """Return the memory of a process tree."""
    rss = pss = 0
    for member in tree(pid):
        with suppress(OSError):
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                rss += int(line.split()[1]) if line.startswith("Rss:") else 0
                pss += int(line.split()[1]) if line.startswith("Pss:") else 0
    return Memory(rss / 1024, pss / 1024)
