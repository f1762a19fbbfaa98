"""Who goes first where web process and worker share cores, as the kernel tells it of both."""

import ctypes
import os
import platform
import struct
import sys
from pathlib import Path

import pytest

from authreset.scheduling import NICENESS, SLICE_NANOSECONDS
from tests.stories.house import House

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all take turns")

SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}
KERNEL = tuple(map(int, platform.release().split("-")[0].split(".")[:2]))


def child(house: House, name: str) -> int:
    _, *children = house.service.processes()
    lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in children}
    (found,) = [pid for pid, line in lines.items() if name.encode() in line]
    return found


def slice_of(pid: int) -> int:
    """Return nanoseconds, or 0 from a kernel that has one slice for all."""
    told = ctypes.create_string_buffer(48)
    number = SCHED_GETATTR[platform.machine()]
    assert ctypes.CDLL(None).syscall(number, pid, told, len(told), 0) == 0
    return int(struct.unpack_from("Q", told, 24)[0])


def test_web_process_has_the_processor_soon_after_it_wakes_up(house: House):
    web = child(house, "web")
    assert slice_of(web) == (SLICE_NANOSECONDS if KERNEL >= (6, 12) else 0)
    assert os.sched_getscheduler(web) == os.SCHED_OTHER
    assert os.getpriority(os.PRIO_PROCESS, web) == os.getpriority(os.PRIO_PROCESS, 0)


def test_worker_yields_to_callers(house: House):
    worker = child(house, "worker")
    assert slice_of(worker) != SLICE_NANOSECONDS
    assert os.sched_getscheduler(worker) == os.SCHED_BATCH
    assert os.getpriority(os.PRIO_PROCESS, worker) >= NICENESS
    autogroup = Path(f"/proc/{worker}/autogroup")
    if autogroup.exists():  # a kernel may be built without
        assert autogroup.read_text().rpartition(" ")[2].strip() == str(NICENESS)
