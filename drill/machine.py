"""What a drill ran on: processor, memory, disk, kernel, versions."""

import os
import platform
import sqlite3
import time

from bench.machine import commit, file_system, fsync_ms, package_version, processor

from drill.place import Place

PACKAGES = ("authreset", "asyncpg", "sqlalchemy", "aiosmtplib", "uvicorn", "uvloop")


def describe(place: Place) -> dict[str, str]:
    """Return facts by name, in the order in which they are to be shown."""
    disk = f"{file_system(place.data)}, fdatasync of 8 KiB takes {fsync_ms(place.data):.2f} ms"
    facts = {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit(),
        "processor": f"{processor()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "disk": disk,
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        **_database(place),
    }
    return facts | {name: package_version(name) for name in PACKAGES}


def _database(place: Place) -> dict[str, str]:
    if place.postgres is None:
        return {"SQLite": sqlite3.sqlite_version}
    return {"PostgreSQL": str(place.postgres.execute("SHOW server_version"))}
