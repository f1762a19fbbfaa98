"""The load generator: one process, one core, keep-alive HTTP/1.1 connections on uvloop.

It reads a JSON specification on standard input, prints `begin` when the warm-up is over and `end`
when the window is over, then one line of JSON (`bench.load.LoadResult`). Requests are
precomputed bytes; of an answer only the status and the length are read. It knows no product.
"""

import asyncio
import itertools
import json
import sys
import time
from array import array
from collections import deque
from typing import Any, cast

import uvloop

from bench.figures import percentile

DRAIN_SECONDS = 30.0
"""How long after the window the answers to requests begun inside it are waited for."""


class Tally:
    """What was seen in the window: latencies (seconds) by begin, answers by arrival."""

    def __init__(self) -> None:
        self.begins = self.ends = float("inf")
        self.latencies = array("d")
        self.answered = 0
        self.statuses: dict[str, int] = {}

    def add(self, begun: float, now: float, status: bytes) -> None:
        """Count an answer that came now to a request begun then; only a 200 is worth its time."""
        if status != b"200":
            self.count(status.decode("ascii", "replace"))
            return
        if self.begins <= begun < self.ends:
            self.latencies.append(now - begun)
        if self.begins <= now < self.ends:
            self.answered += 1

    def count(self, status: str) -> None:
        """Count something that is no 200: another status, or a lost connection."""
        self.statuses[status] = self.statuses.get(status, 0) + 1


class Feed:
    """Hands out the next request; with a rate (per second) only when one is due.

    A due request is timed from the instant it became due, so that a service that stalls is
    charged for the requests that queue up behind the stall.
    """

    def __init__(self, requests: list[bytes], rate: float | None) -> None:
        self._requests = itertools.cycle(requests)
        self._rate = rate
        self._due: deque[float] = deque()
        self._idle: deque[Connection] = deque()
        self._issued = 0
        self.open = True

    def give(self, connection: "Connection", now: float) -> None:
        """Send the next request on this idle connection, or keep it until one is due."""
        if not self.open:
            return
        if self._rate is None:
            connection.send(next(self._requests), now)
        elif self._due:
            connection.send(next(self._requests), self._due.popleft())
        else:
            self._idle.append(connection)

    def forget(self, connection: "Connection") -> None:
        """Give nothing more to a connection that was lost while idle."""
        if connection in self._idle:
            self._idle.remove(connection)

    async def pace(self) -> None:
        """Make requests due at the rate, on a clock of about a millisecond."""
        begun = time.perf_counter()
        while self._rate is not None:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            for _ in range(int((now - begun) * self._rate) - self._issued):
                self._issued += 1
                self._due.append(now)
            while self._due and self._idle:
                self.give(self._idle.popleft(), now)


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, feed: Feed, tally: Tally) -> None:
        self._feed = feed
        self._tally = tally
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self.begun = 0.0
        """When the request under way began; 0 if none is."""
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the first request."""
        self._transport = cast("asyncio.Transport", transport)
        self._feed.give(self, time.perf_counter())

    def send(self, request: bytes, begun: float) -> None:
        """Write one request."""
        self.begun = begun
        assert self._transport is not None
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Count the answer when it is whole, then take the next request."""
        received = self._received + data if self._received else data
        head = received.find(b"\r\n\r\n")
        if head < 0 or len(received) < head + 4 + content_length(received[:head]):
            self._received = received
            return
        self._received = b""
        now = time.perf_counter()
        begun, self.begun = self.begun, 0.0
        self._tally.add(begun, now, received[9:12])
        self._feed.give(self, now)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a request that got no answer; `hold` then opens another connection."""
        self._feed.forget(self)
        if self.begun:
            self._tally.count("lost")
            self.begun = 0.0
        if not self.lost.done():
            self.lost.set_result(None)


def content_length(head: bytes) -> int:
    """Return the body length that a response head announces (0 if it announces none)."""
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    if at < 0:
        return 0
    end = lowered.find(b"\r\n", at + 2)
    return int(lowered[at + 17 : end if end > 0 else None])


async def hold(host: str, port: int, feed: Feed, tally: Tally, live: set[Connection]) -> None:
    """Keep one connection open for as long as the feed is, reconnecting when it is lost."""
    loop = asyncio.get_running_loop()
    while feed.open:
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(feed, tally), host, port
            )
        except OSError:
            tally.count("refused")
            await asyncio.sleep(0.1)
            continue
        live.add(connection)
        await connection.lost
        live.discard(connection)


async def run(spec: dict[str, Any]) -> dict[str, Any]:
    """Generate the load that the specification asks for and return what was seen."""
    requests = [text.encode("latin-1") for text in spec["requests"]]
    feed, tally, live = Feed(requests, spec["rate"]), Tally(), set[Connection]()
    tasks = [
        asyncio.create_task(hold(spec["host"], spec["port"], feed, tally, live))
        for _ in range(spec["connections"])
    ]
    tasks.append(asyncio.create_task(feed.pace()))
    await asyncio.sleep(spec["warmup"])
    tally.begins, used = time.perf_counter(), time.process_time()
    print("begin", flush=True)
    await asyncio.sleep(spec["seconds"])
    tally.ends, feed.open = time.perf_counter(), False
    busy = (time.process_time() - used) / (tally.ends - tally.begins)
    print("end", flush=True)
    unanswered = await drain(live)
    for task in tasks:
        task.cancel()
    return summary(tally, busy, unanswered)


async def drain(live: set[Connection]) -> int:
    """Wait for the requests under way; return how many never got an answer."""
    patience = time.perf_counter() + DRAIN_SECONDS
    while time.perf_counter() < patience:
        if not any(connection.begun for connection in live):
            break
        await asyncio.sleep(0.005)
    return sum(bool(connection.begun) for connection in live)


def summary(tally: Tally, busy: float, unanswered: int) -> dict[str, Any]:
    """Return the result as `bench.load.LoadResult` reads it."""
    ordered = sorted(tally.latencies)
    if unanswered:
        tally.statuses["unanswered"] = unanswered
    return {
        "per_second": tally.answered / (tally.ends - tally.begins),
        "samples": len(ordered),
        "p50_ms": percentile(ordered, 0.50) * 1000,
        "p99_ms": percentile(ordered, 0.99) * 1000,
        "max_ms": percentile(ordered, 1.0) * 1000,
        "not_200": tally.statuses,
        "generator_busy": busy,
    }


def main() -> None:
    """Read the specification, run, print the result."""
    print(json.dumps(uvloop.run(run(json.load(sys.stdin)))), flush=True)


if __name__ == "__main__":
    main()
