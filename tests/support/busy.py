"""A process that keeps an SQLite file busy, as a worker with a backlog does."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

WRITES_AND_WRITES = """
import sqlite3, sys
NUMBERS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?)"
COUNT = NUMBERS + " SELECT max(x) FROM n"
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
print("begun", flush=True)
while True:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(COUNT, (1_000_000,)).fetchone()
    connection.execute("ROLLBACK")
    connection.execute(COUNT, (30_000,)).fetchone()  # a gap of three parts in a hundred
"""


@contextmanager
def busy_with(path: str) -> Iterator[None]:
    """Let another process write to a file, with the shortest gaps, and yield when it began."""
    command = [sys.executable, "-c", WRITES_AND_WRITES, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n"
            yield
        finally:
            process.kill()
