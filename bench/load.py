"""Running the load generator against a service and what it reports."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Self

from bench.processes import ROOT, pinned

PATH = "/api/User/authreset"
ADDRESSES = 1000


class NothingAnsweredError(RuntimeError):
    """A load met no 200 at all; the text says what it met."""


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """One load: a closed loop on every connection, or `rate` requests a second over them all."""

    port: int
    requests: Sequence[str]
    connections: int
    seconds: float
    warmup: float = 1.0
    rate: float | None = None
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a load saw.

    `per_second` counts the 200s that arrived in the window; the percentiles (milliseconds) are of
    every request begun in it and answered 200; `not_200` counts, from the warm-up on, other
    statuses and connections lost or refused; `generator_busy` is the share of its core that the
    generator used.
    """

    per_second: float
    samples: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    not_200: dict[str, int]
    generator_busy: float

    def required(self) -> Self:
        """Return this, or raise NothingAnsweredError if there is no 200 to speak of."""
        if not self.samples:
            raise NothingAnsweredError(f"no request was answered 200, but {self.not_200}")
        return self


def request(headers: Mapping[str, str], body: str, method: str = "POST", path: str = PATH) -> str:
    """Return a whole HTTP/1.1 request with a JSON body."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, f"Content-Length: {len(body.encode())}", "", body])


def reset_requests(token: str, entry: str, emails: Iterable[str]) -> list[str]:
    """Return one request for each of these addresses."""
    bodies = (json.dumps({"email": email, "entry": entry, "entryType": 0}) for email in emails)
    return [request({"requestToken": token}, body) for body in bodies]


def nobodies(count: int = ADDRESSES) -> list[str]:
    """Return addresses that belong to no user of any subject."""
    return [f"person{number}@bench.example" for number in range(count)]


def generate(
    spec: LoadSpec, core: int, at_edge: Callable[[str], None] = lambda edge: None
) -> LoadResult:
    """Run a load on a core; `at_edge` is called with `begin` and `end` of the window."""
    with subprocess.Popen(
        pinned([core], [sys.executable, "-m", "bench.generator"]),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            return _follow(process, spec, at_edge)
        finally:
            process.kill()


def _follow(
    process: subprocess.Popen[str], spec: LoadSpec, at_edge: Callable[[str], None]
) -> LoadResult:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(asdict(spec)))
    process.stdin.close()
    for line in process.stdout:
        if line.startswith("{"):
            return LoadResult(**json.loads(line))
        at_edge(line.strip())
    raise RuntimeError(f"the load generator ended with status {process.wait()} and no result")
