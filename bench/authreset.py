"""Row (a): authreset as shipped. The only module that knows its commands, settings and answers."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.cores import Placement
from bench.load import request, reset_requests
from bench.processes import ROOT, StartError, free_port, running, wait_ready
from bench.rows import Service
from bench.stores import Place

LIMITS_LIFTED = {
    "AUTHRESET_LIMIT_TOKEN": "1000000/second",
    "AUTHRESET_LIMIT_ADDRESS": "1000000/second",
    "AUTHRESET_MAILBOX_LIMITS": "off",
}
"""The load comes from one address with one token, and asks for the same mailboxes over and over."""

DEMO = "demo.json"


def program() -> str | None:
    """Return the installed command, or None where the product is not installed."""
    beside = Path(sys.executable).with_name("authreset")
    return str(beside) if beside.exists() else shutil.which("authreset")


class Authreset:
    """authreset with its worker and mailer, whose letters go to the SMTP server at `smtp_port`."""

    name = "authreset"

    def __init__(self, smtp_port: int) -> None:
        self._smtp_port = smtp_port

    def prepare(self, place: Place) -> None:
        """Make the tables and the demonstration's tenant tree."""
        self._call(place, "migrate")
        (place.directory / DEMO).write_text(self._call(place, "demo", "--json"))

    @contextmanager
    def serve(
        self, place: Place, placement: Placement, processes: int, *options: str
    ) -> Iterator[Service]:
        """Run `authreset serve`, ready when entered; an option is such as `--no-worker`."""
        port = free_port()
        arguments = ["serve", "--host", "127.0.0.1", "--port", str(port)]
        arguments += ["--processes", str(processes), *options]
        with self._run(place, placement, arguments) as (pid, log):
            wait_ready(f"http://127.0.0.1:{port}/healthz", pid, log)
            yield Service(pid, port, self.requests(place))

    @contextmanager
    def worker(self, place: Place, placement: Placement) -> Iterator[int]:
        """Run `authreset worker` alone and yield its pid, at once."""
        with self._run(place, placement, ["worker"]) as (pid, _):
            yield pid

    def requests(self, place: Place, one_in: int = 100) -> list[str]:
        """Return requests of which every `one_in`-th (0: none) is for a user that exists."""
        demo = self.demo(place)
        known = demo["email"] if one_in else None
        return reset_requests(demo["organization_token"], demo["entry"], known, one_in or 1)

    def hash_requests(self, place: Place) -> list[str]:
        """Return logins with a wrong password, each of which costs the service one hash."""
        demo = self.demo(place)
        body = {"email": demo["email"], "psw": "not the password of anyone"}
        body |= {"entry": demo["entry"], "entryType": 0}
        header = {"requestToken": self._application_token(place)}
        return [request(header, json.dumps(body), path="/api/User/auth/Internal")]

    def demo(self, place: Place) -> dict[str, Any]:
        """Return what the demonstration printed when the place was prepared."""
        answer: dict[str, Any] = json.loads((place.directory / DEMO).read_text())
        return answer

    def _application_token(self, place: Place) -> str:
        entry = self.demo(place)["entry"]
        issue = ["token", "issue", "--entry", entry, "--type", "application", "--json"]
        token: str = json.loads(self._call(place, *issue))["token"]
        return token

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
        env = {**os.environ, **self._environment(place)}
        done = subprocess.run(
            self._command(arguments), env=env, cwd=ROOT, capture_output=True, text=True
        )
        if done.returncode:
            raise StartError(f"authreset {arguments[0]} failed: {done.stderr.strip()[-800:]}")
        return done.stdout

    @contextmanager
    def _run(
        self, place: Place, placement: Placement, arguments: list[str]
    ) -> Iterator[tuple[int, Path]]:
        log = place.directory / f"{arguments[0]}.log"
        env, command = self._environment(place), self._command(arguments)
        with running(command, placement.servers, env, log) as pid:
            yield pid, log
