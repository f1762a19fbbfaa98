"""Separate measurements: how fast authreset works requests off, mails, and mails when idle."""

import random
import socket
import time
from collections.abc import Iterator
from itertools import cycle

from bench.cores import place
from bench.figures import percentile
from bench.generator import content_length
from bench.probe import Bench, Finding, fill
from bench.stores import Place, Store

STALL_SECONDS = 10.0
"""So long without the one letter that is waited for, and it was lost."""

DRAIN_SECONDS = 600.0
MAILING_SECONDS = 30.0
SEED = 20261123


def idle_delivery(bench: Bench, store: Store) -> Iterator[Finding]:
    """Time from the 200 to the acceptance of its mail, one request at a time."""
    fresh, pause = store.fresh(bench.product.name), random.Random(SEED)
    requests = cycle(bench.product.requests_for_users(fresh))
    taken = []
    with bench.product.serve(fresh, place(1), 1) as service:
        for _ in range(bench.sizes.idle_requests + 1):
            taken.append(one_delivery(bench, service.port, next(requests).encode()))
            time.sleep(pause.uniform(0.02, 0.08))
    ordered = sorted(taken[1:])  # the first one opens the SMTP connection
    name = "200 to SMTP acceptance, idle"
    yield Finding(f"{name}, p50", store.name, "ms", percentile(ordered, 0.50) * 1000)
    yield Finding(f"{name}, p99", store.name, "ms", percentile(ordered, 0.99) * 1000)


def one_delivery(bench: Bench, port: int, request: bytes) -> float:
    """Return the seconds from the 200 to the acceptance of the mail that it promised."""
    before = bench.accepted.count()
    answered = ask(port, request)
    if not bench.accepted.wait(before + 1, STALL_SECONDS):
        raise RuntimeError(f"no mail {STALL_SECONDS:.0f} s after a 200")
    return bench.accepted.instant(before) - answered


def ask(port: int, request: bytes) -> float:
    """Send one request, return when its 200 was read (`time.monotonic`)."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        received = b""
        while (head := received.find(b"\r\n\r\n")) < 0 or (
            len(received) < head + 4 + content_length(received[:head])
        ):
            data = connection.recv(65536)
            if not data:
                raise RuntimeError("the connection was closed instead of an answer")
            received += data
        answered = time.monotonic()
    if received[9:12] != b"200":
        raise RuntimeError(f"answered {received[9:12].decode()}, not 200")
    return answered


def record(bench: Bench, place_: Place, unknown: int, known: int, marked: bool = False) -> int:
    """Have requests recorded while no worker runs: for nobody, or for the crowd.

    With `marked`, one request for a user stands before them all and one after them. Returns how
    many requests there are without the marks.
    """
    nobody = bench.product.requests_for_nobody(place_)
    users = bench.product.requests_for_users(place_)
    with bench.product.serve_alone(place_, place(1)) as service:
        if marked:
            ask(service.port, users[0].encode())
        recorded = fill(service, nobody, unknown) + fill(service, users, known)
        if marked:
            ask(service.port, users[1].encode())
    return recorded


def worker_rate(bench: Bench, store: Store) -> Iterator[Finding]:
    """Work off requests for nobody; the mails of the first and the last one tell the time."""
    fresh, before = store.fresh(bench.product.name), bench.accepted.count()
    recorded = record(bench, fresh, unknown=bench.sizes.drained, known=0, marked=True)
    with bench.product.worker(fresh, place(1)):
        if not bench.accepted.wait(before + 2, DRAIN_SECONDS):
            raise RuntimeError(f"{recorded} requests were not worked off in {DRAIN_SECONDS:.0f} s")
    taken = bench.accepted.instant(before + 1) - bench.accepted.instant(before)
    detail = f"a backlog of {recorded:,}, each looked up, nobody mailed"
    yield Finding("worker, requests worked off", store.name, "1/s", recorded / taken, detail)


def mailer_rate(bench: Bench, store: Store) -> Iterator[Finding]:
    """Send letters as fast as possible; the rate is that of the middle nine tenths."""
    fresh, before = store.fresh(bench.product.name), bench.accepted.count()
    recorded = record(bench, fresh, unknown=0, known=bench.sizes.crowd)
    with bench.product.worker(fresh, place(1)):
        if bench.accepted.wait(before + 1, DRAIN_SECONDS):
            bench.accepted.wait(before + recorded, MAILING_SECONDS)
    sent = bench.accepted.count() - before
    if sent < 100:
        raise RuntimeError(f"{recorded} requests for a user led to {sent} mails")
    first, last = before + sent // 20, before + sent - sent // 20 - 1
    taken = bench.accepted.instant(last) - bench.accepted.instant(first)
    detail = f"{sent:,} mails for {recorded:,} requests, worker included"
    yield Finding("mailer, letters accepted", store.name, "1/s", (last - first) / taken, detail)
