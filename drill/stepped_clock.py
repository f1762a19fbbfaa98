"""A clock that can be stepped under a running program: a small library to preload, and its offset.

No other clock of the machine is touched, nor the monotonic one of the program itself.
"""

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")


def compiler() -> str | None:
    """Return the C compiler of this machine."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


@dataclass(frozen=True, slots=True)
class SteppedClock:
    """The library and the file with the offset."""

    library: Path
    offset: Path

    @property
    def environ(self) -> dict[str, str]:
        """Return what puts a program under this clock."""
        return {"LD_PRELOAD": str(self.library), "DRILL_CLOCK": str(self.offset)}

    def step(self, seconds: int) -> None:
        """Let the clock be off by so many seconds from now on."""
        with self.offset.open("r+b") as file:
            file.write(struct.pack("=q", seconds))


def make_clock(directory: Path) -> SteppedClock:
    """Compile the library into a directory; the clock is right at first."""
    made = SteppedClock(directory / "clock.so", directory / "clock")
    made.offset.write_bytes(struct.pack("=q", 0))
    command = [compiler() or "cc", "-O2", "-shared", "-fPIC", "-o", str(made.library), str(SOURCE)]
    subprocess.run(command, check=True, capture_output=True)
    return made
