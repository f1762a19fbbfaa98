"""authreset as shipped, from an empty database to a running service, and the mail servers it meets.

Everything but the load generator runs on one core. What is asked of a service is not known here.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.authreset import LIMITS_LIFTED, program, wait_for_worker
from bench.cores import Placement, place
from bench.postgres import Cluster, postgres
from bench.processes import ROOT, StartError, free_port, pinned, running, tree, wait_ready

from silence.questions import Asking

LIMITS = {
    name: LIMITS_LIFTED[name] for name in ("AUTHRESET_LIMIT_TOKEN", "AUTHRESET_LIMIT_ADDRESS")
}
"""All requests come from one address with one token. A mailbox has its limits as shipped."""

DATABASES = {"postgres": "PostgreSQL", "sqlite": "SQLite"}


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: its port, and what a request has to carry."""

    port: int
    asking: Asking


class Cabin:
    """One database kind on this machine: makes services that run on the servers' core."""

    def __init__(self, directory: Path, cluster: Cluster | None) -> None:
        self.directory = directory
        self.cluster = cluster
        self.placement = one_core()

    @contextmanager
    def service(self, name: str, counts: Mapping[str, int], smtp_port: int) -> Iterator[Service]:
        """Store so many users of each class, serve, and yield once API and worker are up."""
        home = self.directory / name
        home.mkdir(parents=True)
        env = self._environment(name, home, smtp_port)
        if self.cluster is not None:
            _call(env, "migrate")  # an embedded database is brought up by whoever opens it
        demo = json.loads(_call(env, "demo", "--json"))
        people = json.dumps({"counts": dict(counts), "entry": demo["entry"]})
        _finish(env, [sys.executable, "-m", "silence.people"], people)
        port, log = free_port(), home / "serve.log"
        command = _command("serve", "--host", "127.0.0.1", "--port", str(port))
        with running(command, self.placement.servers, env, log) as pid:
            wait_ready(f"http://127.0.0.1:{port}/healthz", pid, log)
            wait_for_worker(pid, log)
            tokens = demo["organization_token"], demo["application_token"]
            yield Service(port, Asking(demo["entry"], *tokens))

    def _environment(self, name: str, home: Path, smtp_port: int) -> dict[str, str]:
        url = {}
        if self.cluster is not None:
            self.cluster.execute(f"CREATE DATABASE {name}")
            url = {"AUTHRESET_DATABASE_URL": self.cluster.url(name)}
        return {
            **LIMITS,
            **url,
            "AUTHRESET_DATA_DIR": str(home),
            "AUTHRESET_SMTP_URL": f"smtp://127.0.0.1:{smtp_port}?starttls=off",
            "AUTHRESET_PUBLIC_URL": "http://127.0.0.1",
            "PYTHONPATH": str(ROOT),
        }


@contextmanager
def cabin(directory: Path, database: str) -> Iterator[Cabin]:
    """Make what services on this kind of database need. Raises StartError."""
    if database == "sqlite":
        yield Cabin(directory, None)
        return
    with postgres(directory, "cluster") as cluster:
        for pid in tree(cluster.pid):
            os.sched_setaffinity(pid, one_core().servers)  # those it starts later inherit it
        yield Cabin(directory, cluster)


@contextmanager
def mail_server(mode: str) -> Iterator[int]:
    """Run a mail server that will `accept` or `hang`, and yield its port; `down`: there is none."""
    if mode == "down":
        yield free_port()
        return
    command = pinned(one_core().servers, [sys.executable, "-m", "silence.sink", mode])
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def one_core() -> Placement:
    """Return one core for everything that serves, and another one for the load."""
    return place(1)


@contextmanager
def on_the_load_core() -> Iterator[None]:
    """Keep this process on the core of the load generator."""
    before, core = os.sched_getaffinity(0), one_core().load
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _command(*arguments: str) -> list[str]:
    found = program()
    if found is None:
        raise StartError("authreset is not installed beside this Python")
    return [found, *arguments]


def _call(env: Mapping[str, str], *arguments: str) -> str:
    return _finish(env, _command(*arguments))


def _finish(env: Mapping[str, str], command: list[str], given: str = "") -> str:
    done = subprocess.run(
        command, env={**os.environ, **env}, cwd=ROOT, input=given, capture_output=True, text=True
    )
    if done.returncode:
        words = " ".join(command[1:3])
        raise StartError(f"{words} failed: {(done.stderr or done.stdout).strip()[-800:]}")
    return done.stdout
