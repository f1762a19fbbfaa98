"""PgBouncer in transaction mode before the session's PostgreSQL, as operators run it.

Few server connections for many clients, so that each transaction is likely to meet another one.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.postgres import (
    PostgresServer,
    answers,
    free_port,
    run_as,
    unprivileged,
    wait_for,
)

SERVER_CONNECTIONS = 3

SETTINGS = """[databases]
* = host=127.0.0.1 port={server_port} user=postgres

[pgbouncer]
pool_mode = transaction
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
default_pool_size = {connections}
max_client_conn = 200
"""


@contextmanager
def pgbouncer(server: PostgresServer) -> Iterator[int]:
    """Run PgBouncer before a server and yield its loopback port."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert program is not None, "the tests need the Debian package pgbouncer"
    with tempfile.TemporaryDirectory(prefix="authreset-pgbouncer-", dir="/tmp") as name:
        home, port = Path(name), free_port()
        home.chmod(0o755)
        settings = home / "pgbouncer.ini"
        settings.write_text(
            SETTINGS.format(port=port, server_port=server.port, connections=SERVER_CONNECTIONS)
        )
        settings.chmod(0o644)
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [program, str(settings)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **run_as(unprivileged()),
            )
        try:
            wait_for(lambda: answers(port), lambda: (home / "log").read_text())
            yield port
        finally:
            process.kill()
            process.wait()
