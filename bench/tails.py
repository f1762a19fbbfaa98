"""Separate measurements: the intake's latency while something else goes on in authreset.

The load is paced (the same requests a second in every case), so that a tail shows what the other
work does to the intake and not what saturation does.
"""

import threading
import time
from collections.abc import Iterator

from bench.cores import place
from bench.deliveries import record
from bench.load import LoadResult, LoadSpec, generate
from bench.probe import Bench, Finding
from bench.rows import Service
from bench.stores import Store

HASHING_CONNECTIONS = 4
RAMP_SECONDS = 2.0
"""How long the other work goes on before the window begins."""


def quiet(bench: Bench, store: Store) -> Iterator[Finding]:
    """Measure with nothing else to do; the worker is there and idle."""
    fresh = store.fresh(bench.product.name)
    with bench.product.serve(fresh, place(1), 1) as service:
        seen = paced(bench, service, bench.product.requests_for_nobody(fresh))
    yield from findings("quiet", store, seen)


def mailing(bench: Bench, store: Store) -> Iterator[Finding]:
    """Measure while the mailer sends at full speed.

    A letter waits for every user of a crowd, and the measured requests are for that crowd too, so
    that the mailer always has one more to send.
    """
    fresh = store.fresh(bench.product.name)
    record(bench, fresh, unknown=0, known=bench.sizes.crowd)
    before = bench.accepted.count()
    with bench.product.serve(fresh, place(1), 1) as service:
        if not bench.accepted.wait(before + 50, 60):
            raise RuntimeError("the mailer did not begin to send")
        begun = time.monotonic()
        seen = paced(bench, service, bench.product.requests_for_users(fresh))
        sent = bench.accepted.after(begun)
    detail = f"{len(sent) / (bench.sizes.seconds + RAMP_SECONDS):,.0f} letters/s meanwhile"
    if not sent or time.monotonic() - sent[-1] > 1.5:
        detail += ", but the letters ran out before the end"
    yield from findings("mailer at full speed", store, seen, detail)


def hashing(bench: Bench, store: Store) -> Iterator[Finding]:
    """Measure while four logins at a time are hashed with Argon2."""
    fresh, logins = store.fresh(bench.product.name), list[LoadResult]()
    requests = bench.product.hash_requests(fresh)
    with bench.product.serve(fresh, place(1), 1) as service:
        spec = LoadSpec(
            service.port, requests, HASHING_CONNECTIONS, bench.sizes.seconds, warmup=RAMP_SECONDS
        )
        other = threading.Thread(target=lambda: logins.append(generate(spec, place(1).load)))
        other.start()
        seen = paced(bench, service, bench.product.requests_for_nobody(fresh))
        other.join()
    answers = logins[0].not_200 | {"200": logins[0].samples}
    hashed = sum(answers.values()) / (bench.sizes.seconds + RAMP_SECONDS)
    detail = f"{hashed:,.1f} logins/s meanwhile, answered {answers}"
    yield from findings("four Argon2 hashes", store, seen, detail)


def backlog(bench: Bench, store: Store) -> Iterator[Finding]:
    """Measure while the worker works off a backlog of requests for nobody."""
    fresh = store.fresh(bench.product.name)
    recorded = record(bench, fresh, unknown=bench.sizes.backlog, known=0, marked=True)
    before = bench.accepted.count()
    with bench.product.serve(fresh, place(1), 1) as service:
        seen = paced(bench, service, bench.product.requests_for_nobody(fresh))
        done = bench.accepted.count() - before >= 2
    detail = f"{recorded:,} requests waiting at the start"
    detail += ", all worked off before the end" if done else ""
    yield from findings(f"backlog of {bench.sizes.backlog:,}", store, seen, detail)


def paced(bench: Bench, service: Service, requests: list[str]) -> LoadResult:
    """Send requests at the rate that all cases share."""
    spec = LoadSpec(
        service.port,
        requests,
        bench.sizes.connections,
        bench.sizes.seconds,
        warmup=RAMP_SECONDS,
        rate=bench.sizes.rate,
    )
    return generate(spec, place(1).load).required()


def findings(case: str, store: Store, seen: LoadResult, detail: str = "") -> Iterator[Finding]:
    """Yield the percentiles of one case; what was refused is part of the detail."""
    if seen.not_200:
        detail = f"{detail}; not 200: {seen.not_200}".lstrip("; ")
    yield Finding(f"intake, {case}, p50", store.name, "ms", seen.p50_ms, detail)
    yield Finding(f"intake, {case}, p99", store.name, "ms", seen.p99_ms, detail)
