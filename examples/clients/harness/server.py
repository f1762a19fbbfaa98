"""An authreset to call: one of our own with a demo tree, or one that runs already.

Everything of our own lives in a directory that is removed at the end; settings of the caller's
environment never reach it, so that a demo cannot write to a real mail server.
"""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from clients.harness import commands

ROOT = Path(__file__).parents[3]
LOG = ROOT / "build" / "clients" / "server.log"
AUTHRESET = (sys.executable, "-c", "import sys; from authreset.cli import main; sys.exit(main())")


class ServerFaultError(RuntimeError):
    """authreset could not be set up or did not come up; the text says at which step."""


@dataclass(frozen=True, slots=True, repr=False)
class OAuth:
    client_id: str
    client_secret: str


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """What a client needs to know. `root` is None where the letters cannot be read."""

    base_url: str
    token: str
    entry: str
    entry_type: str
    addresses: dict[str, str]
    oauth: OAuth | None
    root: str | None = None
    application_token: str = ""


def running(base_url: str, names: Sequence[str]) -> Target:
    """A server that runs already, described by the same variables that the clients read."""
    own = {name: os.environ.get(f"AUTHRESET_{name}", "") for name in ("TOKEN", "EMAIL", "ENTRY")}
    unset = [f"AUTHRESET_{name}" for name, value in own.items() if not value]
    if unset:
        raise ServerFaultError(f"--base-url needs {', '.join(unset)} in the environment")
    client_id = os.environ.get("AUTHRESET_CLIENT_ID")
    secret = os.environ.get("AUTHRESET_CLIENT_SECRET", "")
    return Target(
        base_url=base_url.rstrip("/"),
        token=own["TOKEN"],
        entry=own["ENTRY"],
        entry_type=os.environ.get("AUTHRESET_ENTRY_TYPE", "0"),
        addresses=dict.fromkeys(names, own["EMAIL"]),
        oauth=OAuth(client_id, secret) if client_id else None,
    )


@contextlib.contextmanager
def own_server(names: Sequence[str], seconds: float) -> Iterator[Target]:
    """A fresh authreset on a free port, with one demo user for each name."""
    root = f"http://127.0.0.1:{_free_port()}"
    with tempfile.TemporaryDirectory(prefix="authreset-clients-") as directory:
        environment = _environment(directory, root)
        target = _settle(root, names, environment)
        with _serving(root, environment, seconds):
            yield target


def _environment(directory: str, root: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTHRESET_")}
    path = os.pathsep.join(filter(None, (kept.get("PYTHONPATH"), str(ROOT / "src"))))
    return kept | {
        "PYTHONPATH": path,
        "AUTHRESET_DATA_DIR": directory,
        "AUTHRESET_PUBLIC_URL": root,
    }


def _settle(root: str, names: Sequence[str], environment: dict[str, str]) -> Target:
    demo = _verb(("demo",), environment)
    addresses = {name: f"client-{name}@example.com" for name in names}
    for name, address in addresses.items():
        user = ("user", "add", "--email", address, "--entry", demo["entry"], "--name", name)
        _verb((*user, "--password-stdin"), environment, typed=secrets.token_urlsafe(24))
    client = ("client", "add", "--entry", demo["entry"], "--name", "Example clients")
    credentials = _verb(client, environment)
    return Target(
        base_url=f"{root}/api",
        token=demo["organization_token"],
        entry=demo["entry"],
        entry_type=str(demo.get("entry_type", 0)),
        addresses=addresses,
        oauth=OAuth(credentials["client_id"], credentials["client_secret"]),
        root=root,
        application_token=demo["application_token"],
    )


def _verb(verb: Sequence[str], environment: dict[str, str], typed: str = "") -> dict[str, Any]:
    done = commands.run(
        (*AUTHRESET, *verb, "--json"),
        directory=ROOT,
        environment=environment,
        seconds=60,
        typed=typed,
    )
    if done.code != 0:
        raise ServerFaultError(f"authreset {' '.join(verb[:2])}: {done.complaint}")
    answer: dict[str, Any] = json.loads(done.output)
    return answer


@contextlib.contextmanager
def _serving(root: str, environment: dict[str, str], seconds: float) -> Iterator[None]:
    LOG.parent.mkdir(parents=True, exist_ok=True)
    port = root.rsplit(":", 1)[1]
    with LOG.open("w") as log:
        process = subprocess.Popen(
            (*AUTHRESET, "serve", "--port", port),
            env=environment,
            stdout=log,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        try:
            _wait_until_healthy(process, root, seconds)
            yield
        finally:
            _stop(process)


def _wait_until_healthy(process: subprocess.Popen[str], root: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{root}/healthz", timeout=2).status_code == 200:
                return
        time.sleep(0.1)
    raise ServerFaultError(f"authreset serve did not come up; its log is {LOG.relative_to(ROOT)}")


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=15)
    commands.end_group(process)
    process.wait(timeout=15)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
