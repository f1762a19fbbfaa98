"""What the separate measurements of authreset share: their sizes, findings, and steps.

The measurements themselves live in `tails`, `deliveries` and `starts`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from bench.authreset import Authreset
from bench.cores import place
from bench.figures import middle
from bench.load import LoadSpec, generate
from bench.rows import Service
from bench.run import Progress, failure_of
from bench.sink import Acceptances
from bench.stores import Store


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much each separate measurement does; `rate` is of the paced load, a second."""

    seconds: float = 10
    rate: float = 1000
    connections: int = 64
    crowd: int = 5_000
    backlog: int = 100_000
    drained: int = 50_000
    idle_requests: int = 200


QUICK = Sizes(
    seconds=3, rate=1000, connections=64, crowd=1_000, backlog=20_000, drained=10_000,
    idle_requests=40,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure of a separate measurement; `value` is None where it failed, `detail` says why."""

    name: str
    store: str
    unit: str
    value: float | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a separate measurement works with."""

    product: Authreset
    accepted: Acceptances
    sizes: Sizes


Probe = Callable[[Bench, Store], Iterable[Finding]]


def run_probes(
    bench: Bench,
    probes: Sequence[tuple[str, Probe]],
    stores: Sequence[Store],
    repeats: int,
    progress: Progress,
) -> list[Finding]:
    """Run every probe on every store, interleaved over the repeats; return the medians."""
    if not probes:
        return []
    findings: list[Finding] = []
    unready = {store.name: prepare(bench.product, store, progress) for store in stores}
    for repeat in range(1, repeats + 1):
        for store in stores:
            for name, probe in probes:
                progress(f"{name}, {store.name}, repeat {repeat} of {repeats}")
                found: list[Finding] = []
                failure = unready[store.name] or failure_of(collecting(found, probe, bench, store))
                findings += found
                if failure is not None:
                    findings.append(Finding(name, store.name, "", None, failure))
    return medians(findings)


def prepare(product: Authreset, store: Store, progress: Progress) -> str | None:
    """Make the product's template unless its row did so; return why it could not be made."""
    if store.has_template(product.name):
        return None
    progress(f"{store.name}: preparing")
    return failure_of(lambda: product.prepare(store.template(product.name)))


def collecting(
    found: list[Finding], probe: Probe, bench: Bench, store: Store
) -> Callable[[], None]:
    """Return an action that runs a probe and adds what it finds to a list."""
    return lambda: found.extend(probe(bench, store))


def medians(findings: Sequence[Finding]) -> list[Finding]:
    """Return one finding for all repeats of each: the median, and the last detail given."""
    order = {one.name: number for number, one in reversed(list(enumerate(findings)))}
    ordered = sorted(findings, key=lambda one: (order[one.name], one.store, one.unit))
    return [
        Finding(*key, middle(one.value for one in same), next(filter(None, details(same)), ""))
        for key, same in (
            (key, list(group))
            for key, group in groupby(ordered, key=lambda one: (one.name, one.store, one.unit))
        )
    ]


def details(findings: Sequence[Finding]) -> list[str]:
    """Return the details of findings, the last one first."""
    return [one.detail for one in reversed(findings)]


def fill(service: Service, requests: Sequence[str], count: int) -> int:
    """Have at least `count` requests recorded as fast as the service takes them."""
    recorded = 0
    while recorded < count:
        spec = LoadSpec(service.port, requests, connections=64, seconds=1, warmup=0)
        seen = generate(spec, place(1).load)
        if seen.not_200 or not seen.samples:
            raise RuntimeError(f"the service refused to be filled: {seen.not_200}")
        recorded += seen.samples
    return recorded
