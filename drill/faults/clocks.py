"""Faults of the clock: it steps back under a worker, and forth again."""

import time
from pathlib import Path

from drill.faults.scene import Fault, Scene
from drill.fleet import worker_with_clock
from drill.place import Place
from drill.stepped_clock import compiler, make_clock

STEP_SECONDS = 30
READY_SECONDS = 10.0


def step_back(scene: Scene) -> None:
    """Let one more worker join, whose clock steps back while it works, then forth again."""
    clock = make_clock(scene.place.directory)
    worker = worker_with_clock(scene.place, clock)
    before = worker.log.stat().st_size if worker.log.exists() else 0
    worker.start()
    try:
        _wait_started(worker.log, before)
        clock.step(-STEP_SECONDS)
        scene.hold()
        clock.step(0)
        time.sleep(1)
    finally:
        worker.stop()


def _wait_started(log: Path, before: int) -> None:
    until = time.monotonic() + READY_SECONDS
    while b"worker_started" not in log.read_bytes()[before:] and time.monotonic() < until:
        time.sleep(0.05)


def _needs_compiler(_place: Place) -> str:
    return "" if compiler() else "needs a C compiler, for a clock that can be stepped"


CLOCKS = (
    Fault(
        "clock-back",
        f"a worker's clock steps back {STEP_SECONDS} s",
        frozenset({"clock"}),
        step_back,
        why_not=_needs_compiler,
    ),
)
