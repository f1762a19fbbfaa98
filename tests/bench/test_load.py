"""The load generator and the SMTP sink, over real sockets of the loopback address."""

import asyncio
import json
import os
import smtplib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from bench.generator import content_length
from bench.load import LoadSpec, NothingAnsweredError, generate, nobodies, request, reset_requests
from bench.processes import cpu_seconds, memory, tree
from bench.sink import Sink

CORE = min(os.sched_getaffinity(0))


class Answers(asyncio.Protocol):
    """Answers in turn: a 200 in two pieces, a 200 in one, a 503; notes every body it saw."""

    count = 0
    bodies: set[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        cls = type(self)
        cls.count += 1
        cls.bodies.add(data.partition(b"\r\n\r\n")[2])
        status = b"503 No" if cls.count % 3 == 0 else b"200 OK"
        head = b"HTTP/1.1 " + status + b"\r\nContent-Length: 4\r\n\r\n"
        assert isinstance(self.transport, asyncio.WriteTransport)
        if cls.count % 3 == 1:
            self.transport.write(head + b"go")
            asyncio.get_running_loop().call_later(0.001, self.transport.write, b"od")
        else:
            self.transport.write(head + b"good")


@contextmanager
def server() -> Iterator[tuple[int, type[Answers]]]:
    protocol = type("Fresh", (Answers,), {"count": 0, "bodies": set()})
    loop, port, started = asyncio.new_event_loop(), [0], threading.Event()

    def run() -> None:
        made = loop.run_until_complete(loop.create_server(protocol, "127.0.0.1", 0))
        port[0] = made.sockets[0].getsockname()[1]
        started.set()
        loop.run_forever()
        made.close()
        loop.run_until_complete(made.wait_closed())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    try:
        yield port[0], protocol
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def test_every_answer_is_counted_once_and_refusals_apart() -> None:
    edges: list[str] = []
    with server() as (port, protocol):
        spec = LoadSpec(port, reset_requests("o.x", "e", nobodies()), 4, seconds=0.5, warmup=0)
        seen = generate(spec, CORE, edges.append)
    assert edges == ["begin", "end"]
    assert sum(seen.not_200.values()) == seen.not_200["503"]
    assert seen.samples + seen.not_200["503"] == protocol.count
    assert seen.not_200["503"] == protocol.count // 3
    assert 0 < seen.p50_ms <= seen.p99_ms <= seen.max_ms < 500
    assert len(protocol.bodies) > 100


def test_a_paced_load_keeps_its_rate() -> None:
    with server() as (port, _):
        spec = LoadSpec(port, [request({}, "{}")], 8, seconds=1, warmup=0.2, rate=300)
        seen = generate(spec, CORE)
    assert seen.samples + seen.not_200["503"] == pytest.approx(360, rel=0.25)


def test_a_service_that_is_not_there_is_no_result() -> None:
    seen = generate(LoadSpec(9, [request({}, "{}")], 2, seconds=0.2, warmup=0), CORE)
    assert set(seen.not_200) == {"refused"}
    with pytest.raises(NothingAnsweredError, match="refused"):
        seen.required()


def test_a_request_says_how_long_its_body_is() -> None:
    (made,) = reset_requests("o.x", "entry", ["jörg@example.com"])
    head, _, body = made.partition("\r\n\r\n")
    assert f"Content-Length: {len(body.encode())}" in head.split("\r\n")
    assert json.loads(body) == {"email": "jörg@example.com", "entry": "entry", "entryType": 0}
    assert len(set(nobodies())) == len(nobodies())


@pytest.mark.parametrize(
    ("head", "length"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nx: y", 12),
        (b"HTTP/1.1 200 OK\r\ncontent-length:7", 7),
        (b"HTTP/1.1 204 No Content\r\nx: y", 0),
    ],
)
def test_content_length_is_read_in_any_place(head: bytes, length: int) -> None:
    assert content_length(head) == length


def test_the_sink_notes_acceptances_by_recipient() -> None:
    begun = time.monotonic()
    with Sink(CORE) as sink:
        with smtplib.SMTP("127.0.0.1", sink.port, timeout=5) as client:
            client.sendmail(
                "a@example.com", ["b@example.com", "c@example.com"], "Subject: 1\n\n.\n"
            )
            client.sendmail("a@example.com", ["b@example.com"], "Subject: 2\n\nx")
        assert sink.accepted.wait(3, 5)
        assert not sink.accepted.wait(4, 0.01)
    first, second = sink.accepted.after(begun, "b@example.com")
    assert begun < first <= second < time.monotonic()
    assert len(sink.accepted.after(begun)) == sink.accepted.count() == 3


def test_processor_time_and_memory_of_a_whole_tree() -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True); input()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert len(tree(process.pid)) == 2
        assert 0.2 <= cpu_seconds(process.pid) < 2
        assert memory(process.pid).rss > memory(process.pid).pss > 1
        process.communicate(b"\n")
