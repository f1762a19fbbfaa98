"""A throw-away Redis of the system, on a loopback port, which keeps nothing on disk."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.postgres import PATIENCE, answers, free_port, wait_for


class RedisServer:
    """One server. It keeps its port when it is stopped and started again, and no data."""

    def __init__(self, program: str, directory: str) -> None:
        self.port = free_port()
        self._command = [program, "--port", str(self.port), "--bind", "127.0.0.1"]
        self._command += ["--save", "", "--appendonly", "no", "--dir", directory]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def location(self) -> str:
        """Host, port and database, as they stand in a URL behind its scheme."""
        return f"127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server and return when it answers."""
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        wait_for(lambda: answers(self.port), lambda: "the Redis server did not start")

    def stop(self) -> None:
        """End the server; connections are cut."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(PATIENCE)

    def freeze(self) -> None:
        """Let it hold its connections and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Run a server. A missing program is a failure."""
    program = shutil.which("redis-server")
    assert program is not None, "the tests need the Debian package redis-server"
    with tempfile.TemporaryDirectory(prefix="authreset-redis-") as directory:
        server = RedisServer(program, directory)
        server.start()
        try:
            yield server
        finally:
            server.stop()
