"""What the figures were measured on: processor, memory, disk, kernel, versions."""

import os
import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from bench.postgres import Cluster
from bench.processes import ROOT

PACKAGES = ["authreset", "uvicorn", "uvloop", "httptools", "starlette", "msgspec", "sqlalchemy"]
PACKAGES += ["asyncpg", "aiosqlite", "aiosmtplib", "argon2-cffi", "fastapi", "pydantic"]


def describe_machine(directory: Path, cluster: Cluster | None) -> dict[str, str]:
    """Return facts by name, in the order in which they are to be shown."""
    facts = {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit(),
        "processor": f"{processor()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "disk": f"{file_system(directory)}, fdatasync of 8 KiB takes {fsync_ms(directory):.2f} ms",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "PostgreSQL": str(cluster.value("SHOW server_version")) if cluster else "not used",
    }
    return facts | {name: package_version(name) for name in PACKAGES}


def commit() -> str:
    """Return the commit of the checkout, with a word if it has changes."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def processor() -> str:
    """Return the processor's name as the kernel knows it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def package_version(name: str) -> str:
    """Return the version of an installed package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def file_system(directory: Path) -> str:
    """Return the type of the file system that a directory lies on."""
    done = subprocess.run(
        ["stat", "--file-system", "--format=%T", str(directory)], capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"


def fsync_ms(directory: Path, writes: int = 100) -> float:
    """Return the median time of an 8 KiB write and fdatasync, in milliseconds."""
    path, taken = directory / "fsync", []
    with path.open("wb", buffering=0) as file:
        for _ in range(writes):
            begun = time.perf_counter()
            file.write(bytes(8192))
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - begun) * 1000)
    path.unlink()
    return median(taken)
