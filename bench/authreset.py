"""Row (a): authreset as shipped. Its commands, settings and answers are known here alone."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.cores import Placement
from bench.crowd import member
from bench.load import nobodies, request, reset_requests
from bench.processes import ROOT, StartError, alive, free_port, running, tail, wait_ready
from bench.rows import Service
from bench.stores import Place

LIMITS_LIFTED = {
    "AUTHRESET_LIMIT_TOKEN": "1000000/second",
    "AUTHRESET_LIMIT_ADDRESS": "1000000/second",
    "AUTHRESET_MAILBOX_LIMITS": "off",
}
"""The load comes from one address with one token, and asks for the same mailboxes over and over."""

DEMO = "demo.json"
WORKER_STARTED = b"worker_started"
"""What the worker logs once it works."""


def program() -> str | None:
    """Return the installed command, or None where the product is not installed."""
    beside = Path(sys.executable).with_name("authreset")
    return str(beside) if beside.exists() else shutil.which("authreset")


KNOWN_ONE_IN = 100


def wait_for_worker(pid: int, log: Path, patience: float = 60.0) -> None:
    """Return once the worker's log says that it works; StartError if it does not come to that."""
    until = time.monotonic() + patience
    while WORKER_STARTED not in log.read_bytes():
        if not alive(pid) or time.monotonic() > until:
            raise StartError(f"the worker did not start: {tail(log)}")
        time.sleep(0.01)


class Authreset:
    """authreset with its worker and mailer, whose letters go to the SMTP server at `smtp_port`."""

    name = "authreset"

    def __init__(self, smtp_port: int, crowd: int) -> None:
        self._smtp_port = smtp_port
        self._crowd = crowd

    def prepare(self, place: Place) -> None:
        """Make the tables, the demonstration's tenant tree, and a crowd of users."""
        self._call(place, "migrate")
        demo = self._call(place, "demo", "--json")
        (place.directory / DEMO).write_text(demo)
        entry = json.loads(demo)["entry"]
        self._finish(place, [sys.executable, "-m", "bench.crowd", str(self._crowd), entry])

    @contextmanager
    def serve(self, place: Place, placement: Placement, processes: int) -> Iterator[Service]:
        """Run `authreset serve`; when entered the API is ready and the worker works."""
        with self.serve_only(place, placement, processes) as service:
            wait_for_worker(service.pid, place.directory / "serve.log")
            yield service

    @contextmanager
    def serve_only(
        self, place: Place, placement: Placement, processes: int, *options: str
    ) -> Iterator[Service]:
        """Run `authreset serve`; when entered the API is ready, the worker may be yet to come."""
        port = free_port()
        arguments = ["serve", "--host", "127.0.0.1", "--port", str(port)]
        arguments += ["--processes", str(processes), *options]
        with self._run(place, placement, arguments) as (pid, log):
            wait_ready(f"http://127.0.0.1:{port}/healthz", pid, log)
            yield Service(pid, port, self.requests(place))

    @contextmanager
    def serve_alone(self, place: Place, placement: Placement) -> Iterator[Service]:
        """Run one process that takes requests, and no worker that would settle them."""
        with self.serve_only(place, placement, 1, "--no-worker") as service:
            yield service

    @contextmanager
    def worker(self, place: Place, placement: Placement) -> Iterator[int]:
        """Run `authreset worker` alone and yield its pid, at once."""
        with self._run(place, placement, ["worker"]) as (pid, _):
            yield pid

    def requests(self, place: Place) -> list[str]:
        """Return requests of which one in KNOWN_ONE_IN is for a user, all others for nobody."""
        emails = nobodies()
        for number, at in enumerate(range(0, len(emails), KNOWN_ONE_IN)):
            emails[at] = member(number)
        return self._requests(place, emails)

    def requests_for_nobody(self, place: Place) -> list[str]:
        """Return requests none of which leads to a mail."""
        return self._requests(place, nobodies())

    def requests_for_users(self, place: Place) -> list[str]:
        """Return one request for each user of the crowd."""
        return self._requests(place, [member(number) for number in range(self._crowd)])

    def hash_requests(self, place: Place) -> list[str]:
        """Return logins of nobody, each of which costs the service one hash all the same."""
        demo = self.demo(place)
        header = {"requestToken": demo["application_token"]}
        rest = {"psw": "not the password of anyone", "entry": demo["entry"], "entryType": 0}
        bodies = (json.dumps({"email": email, **rest}) for email in nobodies())
        return [request(header, body, path="/api/User/auth/Internal") for body in bodies]

    def _requests(self, place: Place, emails: list[str]) -> list[str]:
        demo = self.demo(place)
        return reset_requests(demo["organization_token"], demo["entry"], emails)

    def demo(self, place: Place) -> dict[str, Any]:
        """Return what the demonstration printed when the place was prepared."""
        answer: dict[str, Any] = json.loads((place.directory / DEMO).read_text())
        return answer

    def _environment(self, place: Place) -> dict[str, str]:
        url = {} if place.url is None else {"AUTHRESET_DATABASE_URL": place.url}
        return {
            **LIMITS_LIFTED,
            **url,
            "AUTHRESET_DATA_DIR": str(place.directory),
            "AUTHRESET_SMTP_URL": f"smtp://127.0.0.1:{self._smtp_port}?starttls=off",
            "AUTHRESET_PUBLIC_URL": "http://127.0.0.1",
        }

    def _command(self, arguments: Sequence[str]) -> list[str]:
        found = program()
        if found is None:
            raise StartError("authreset is not installed beside this Python")
        return [found, *arguments]

    def _call(self, place: Place, *arguments: str) -> str:
        """Run a verb to its end and return its standard output."""
        return self._finish(place, self._command(arguments))

    def _finish(self, place: Place, command: list[str]) -> str:
        env = {**os.environ, **self._environment(place)}
        done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            words = " ".join(command[1:3])
            raise StartError(f"{words} failed: {(done.stderr or done.stdout).strip()[-800:]}")
        return done.stdout

    @contextmanager
    def _run(
        self, place: Place, placement: Placement, arguments: list[str]
    ) -> Iterator[tuple[int, Path]]:
        log = place.directory / f"{arguments[0]}.log"
        env, command = self._environment(place), self._command(arguments)
        with running(command, placement.servers, env, log) as pid:
            yield pid, log
