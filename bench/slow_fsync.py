"""Compiling the library that makes every fsync of PostgreSQL take 5 ms longer."""

import shutil
import subprocess
from pathlib import Path

from bench.processes import ROOT

SOURCE = Path(__file__).with_name("slow_fsync.c")


class NoCompilerError(RuntimeError):
    """No C compiler is on this machine, or it refused the source."""


def build_slow_fsync(build: Path = ROOT / "build" / "bench", milliseconds: float = 5) -> Path:
    """Compile the library into `build` and return its path; raise NoCompilerError."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise NoCompilerError("no C compiler (cc) on this machine")
    build.mkdir(parents=True, exist_ok=True)
    library = build / "slow_fsync.so"
    command = [
        compiler,
        "-O2",
        "-shared",
        "-fPIC",
        f"-DDELAY_MICROSECONDS={milliseconds * 1000:.0f}",
    ]
    done = subprocess.run(
        [*command, "-o", str(library), str(SOURCE), "-ldl"], capture_output=True, text=True
    )
    if done.returncode:
        raise NoCompilerError(f"{compiler} refused slow_fsync.c: {done.stderr.strip()}")
    return library
