"""Starting the service: what keeps it from starting is told at once, and a demo really works."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from authreset.store.workers import WorkerSign, list_workers
from tests.cli.program import CLEAN, Program
from tests.support.postgres import PostgresServer, free_port

PATIENCE = 30.0
LISTENING = "0A"
"""TCP_LISTEN, as /proc/net/tcp writes it."""


@contextmanager
def running(program: Program, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "authreset", *arguments],
        env={**CLEAN, "AUTHRESET_DATA_DIR": str(program.data_dir), "AUTHRESET_LOG_LEVEL": "error"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


def first_line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()


def wait_until_served(url: str) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with urlopen(f"{url}/readyz", timeout=5) as reply:
                assert reply.status == 200
                return
        except URLError:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_the_demo_is_served_and_its_curl_line_works(demo: Program) -> None:
    port = str(free_port())
    printed = demo.do("demo", "--port", port)
    with running(demo, "serve", "--port", port, "--json") as process:
        told = json.loads(first_line(process.stdout))
        assert told == {
            "url": printed["base_url"], "public_url": printed["base_url"], "processes": 1,
            "worker": True, "mailbox_url": printed["mailbox_url"],
        }  # fmt: skip
        wait_until_served(printed["base_url"])
        # A shell reads the line as whoever pastes it does.
        done = subprocess.run(
            ["bash", "-c", printed["curl"]], env=CLEAN, capture_output=True, text=True
        )
        assert json.loads(done.stdout) == {"isSuccess": True, "responseText": "Success"}, done
        until = time.monotonic() + PATIENCE
        while "accepted" not in str(traced := demo.do("request", "trace", "ada@example.com")):
            assert time.monotonic() < until, traced
            time.sleep(0.05)
        with urlopen(printed["mailbox_url"]) as page:
            assert "ada@example.com" in page.read().decode()
        doctor = demo.do("doctor", PUBLIC_URL=printed["base_url"])
        verdicts = {one["check"]: one["verdict"] for one in doctor["checks"]}
        assert (verdicts["public_url"], verdicts["workers"]) == ("ok", "ok")
    assert process.returncode == 0
    assert process.stdout is not None


def test_people_are_told_loudly_that_no_mail_leaves(demo: Program) -> None:
    with running(demo, "serve", "--port", str(free_port()), "--no-worker") as process:
        lines = [first_line(process.stdout) for _ in range(4)]
    assert "NO MAIL SERVER" in lines[1]
    assert "/mailbox" in lines[2]
    assert "authreset worker" in lines[3]


def wait_for_worker(program: Program) -> WorkerSign:
    until = time.monotonic() + PATIENCE
    while not (signs := program.look(list_workers)):
        assert time.monotonic() < until
        time.sleep(0.05)
    return signs[0]


def test_a_worker_runs_alone_and_leaves_in_good_order(demo: Program) -> None:
    with running(demo, "worker", "--json") as process:
        told = json.loads(first_line(process.stdout))
        assert told == {"worker": True, "metrics_url": None}
        sign = wait_for_worker(demo)
        assert not listens(int(sign.name.rpartition(":")[2]), process.pid)
    assert process.returncode == 0
    assert demo.look(list_workers) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(sign.name.rpartition(":")[2]), 0)


def listens(*pids: int) -> bool:
    """Tell whether one of these processes has a socket on which it can be reached."""
    tables = [Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    open_to_calls = {f"socket:[{row[9]}]" for row in rows if row[3] == LISTENING}
    held = [Path(f"/proc/{pid}/fd").iterdir() for pid in pids]
    return any(os.readlink(fd) in open_to_calls for fds in held for fd in fds)


def ask(url: str, **headers: str) -> tuple[int, str]:
    """Return the status and the text of an answer, once there is one."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with urlopen(Request(url, headers=headers), timeout=5) as reply:
                return reply.status, reply.read().decode()
        except HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_worker_alone_tells_what_it_counts_where_it_is_told_to(demo: Program, host: str) -> None:
    port = free_port()
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    web = str(free_port())
    curl = demo.do("demo", "--port", web)["curl"]
    with running(demo, "serve", "--port", web, "--no-worker"):
        assert ask(f"http://127.0.0.1:{web}/readyz")[0] == 200
        subprocess.run(["bash", "-c", curl], env=CLEAN, capture_output=True, check=True)
    with running(demo, "worker", "--metrics", url.removeprefix("http://"), "--json") as process:
        told = json.loads(first_line(process.stdout))
        assert told == {"worker": True, "metrics_url": f"{url}/metrics"}
        assert ask(f"{url}/healthz")[0] == 200
        until = time.monotonic() + PATIENCE
        while 'requests_settled_total{outcome="mailed"} 1.0' not in (
            seen := ask(f"{url}/metrics")[1]
        ):
            assert time.monotonic() < until, seen
            time.sleep(0.05)
        assert {ask(f"{url}{path}")[0] for path in ("/", "/readyz", "/mailbox", "/metrics/")} == {
            404
        }
        assert ask(f"{url}/metrics", **{"X-Forwarded-For": "203.0.113.9"})[0] == 404
    assert process.returncode == 0


def test_a_worker_that_was_killed_is_asked_at_the_same_address_again(demo: Program) -> None:
    address = f"127.0.0.1:{free_port()}"
    with running(demo, "worker", "--metrics", address) as process:
        ask(f"http://{address}/healthz")
        os.kill(int(wait_for_worker(demo).name.rpartition(":")[2]), signal.SIGKILL)
        assert ask(f"http://{address}/healthz")[0] == 200
    assert process.returncode == 0


def test_an_address_for_metrics_that_is_taken_is_told_before_anything_starts(demo: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refusal = demo.refuse("worker", "--metrics", f"127.0.0.1:{taken.getsockname()[1]}")
    assert "Address already in use" in refusal["error"]
    assert "--metrics" in refusal["todo"]


@pytest.mark.parametrize(
    "address", ["9101", ":9101", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "::1:9101", "a b:1"]
)
def test_an_address_for_metrics_wants_a_host_and_a_port(demo: Program, address: str) -> None:
    result = demo("worker", "--metrics", address, "--json")
    assert (result.status, result.err) == (2, "")
    assert "HOST:PORT" in result.json["error"]


def test_an_address_that_is_taken_is_told_before_anything_starts(demo: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refusal = demo.refuse("serve", "--port", str(taken.getsockname()[1]))
    assert "Address already in use" in refusal["error"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"SMTP_URL": "http://mail.test"}, "AUTHRESET_SMTP_URL"),
        ({"LINK_MINUTES": "4"}, "AUTHRESET_LINK_MINUTES"),
        ({"SECRET_KEY": "short"}, "AUTHRESET_SECRET_KEY"),
        ({"DATABASE_URL": "mysql://h/d"}, "AUTHRESET_DATABASE_URL"),
    ],
)
@pytest.mark.parametrize("verb", ["serve", "worker"])
def test_settings_that_do_not_fit_are_told_before_anything_starts(
    demo: Program, verb: str, settings: dict[str, str], words: str
) -> None:
    port = ["--port", str(free_port())] if verb == "serve" else []
    assert words in demo.refuse(verb, *port, **settings)["error"]


def test_an_empty_key_file_is_told_and_not_replaced(demo: Program) -> None:
    key_file = demo.data_dir / "secret.key"
    key_file.write_text("\n")
    refusal = demo.refuse("serve", "--port", str(free_port()))
    assert "holds no key" in refusal["error"]
    assert key_file.read_text() == "\n"


def test_the_embedded_database_takes_one_process(demo: Program) -> None:
    refusal = demo.refuse("serve", "--port", str(free_port()), "--processes", "2")
    assert "AUTHRESET_DATABASE_URL" in refusal["todo"]


def test_postgres_that_is_behind_wants_migrate(demo: Program, postgres: PostgresServer) -> None:
    url = postgres.create_database("behind_serve")
    try:
        refusal = demo.refuse("serve", "--port", str(free_port()), DATABASE_URL=url)
        assert refusal["todo"] == "run `authreset migrate`"
    finally:
        postgres.drop_database("behind_serve")
