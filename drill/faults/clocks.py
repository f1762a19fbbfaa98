"""Faults of the clock: it steps back under a worker, and forth again."""

import time
from pathlib import Path

from drill.faults.scene import Fault, Scene
from drill.fleet import FAKETIME, worker_with_clock
from drill.place import Place

STEP_SECONDS = 30
READY_SECONDS = 10.0


def step_back(scene: Scene) -> None:
    """Let one more worker join, whose clock steps back while it works, then forth again."""
    offset = scene.place.directory / "clock"
    set_offset(offset, 0)
    worker = worker_with_clock(scene.place, offset)
    before = worker.log.stat().st_size if worker.log.exists() else 0
    worker.start()
    try:
        _wait_started(worker.log, before)
        set_offset(offset, -STEP_SECONDS)
        scene.hold()
        set_offset(offset, 0)
        time.sleep(1)
    finally:
        worker.stop()


def set_offset(file: Path, seconds: int) -> None:
    """Say by how much the clock is off; the file is never seen half written."""
    fresh = file.with_suffix(".new")
    fresh.write_text(f"{seconds:+d}\n")
    fresh.replace(file)


def _wait_started(log: Path, before: int) -> None:
    until = time.monotonic() + READY_SECONDS
    while b"worker_started" not in log.read_bytes()[before:] and time.monotonic() < until:
        time.sleep(0.05)


def _needs_library(_place: Place) -> str:
    return "" if FAKETIME.exists() else "needs Debian's package libfaketime"


CLOCKS = (
    Fault(
        "clock-back",
        f"a worker's clock steps back {STEP_SECONDS} s",
        frozenset({"clock"}),
        step_back,
        why_not=_needs_library,
    ),
)
