"""Who goes first where several of our processes and threads share cores.

Elsewhere than on Linux, or where a sandbox forbids it, all take turns.
"""

import ctypes
import os
import platform
import struct
import sys
import threading
from contextlib import suppress

NICENESS = 10
"""Of whoever can wait: about a tenth of the processor where callers need the rest of it."""

SLICE_NANOSECONDS = 100_000
"""The shortest that Linux grants."""

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_ATTRIBUTES = struct.Struct("IIQiIQQQ")  # size, policy, flags, niceness, priority, slice, 0, 0


def yield_to_callers() -> None:
    """Let this process wait where it shares cores with those that answer callers."""
    os.nice(NICENESS)
    if hasattr(os, "SCHED_BATCH"):  # its wake-ups interrupt nobody (sched(7))
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    # Linux weighs sessions before processes (sched(7), autogroup), and each child has its own.
    with suppress(OSError), open("/proc/self/autogroup", "w") as autogroup:
        autogroup.write(str(NICENESS))


def lower_thread() -> None:
    """Let this thread wait for the others of its process."""
    # On Linux a niceness belongs to a thread; elsewhere this would slow the whole process.
    if sys.platform == "linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            lowered = max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread))
            os.setpriority(os.PRIO_PROCESS, thread, lowered)


def take_short_slices() -> None:
    """Let this thread, and those that it starts, have the processor soon after they wake up.

    Whoever has the processor keeps it until the end of its slice, some 3 ms, unless the slices of
    the one who wakes up are shorter (sched_setattr(2), since Linux 6.12). How much of it each of
    them gets in the long run stays the same.
    """
    number = _SCHED_SETATTR.get(platform.machine())
    if sys.platform != "linux" or number is None:
        return
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    asked = _ATTRIBUTES.pack(
        _ATTRIBUTES.size, os.sched_getscheduler(0), 0, niceness, 0, SLICE_NANOSECONDS, 0, 0
    )
    ctypes.CDLL(None).syscall(number, 0, asked, 0)  # its refusal changes nothing
