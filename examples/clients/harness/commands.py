"""Runs other programs with a time limit. Never decides what their output means."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ended by itself, or was ended at its limit (then `code` is None)."""

    code: int | None
    output: str
    errors: str

    @property
    def complaint(self) -> str:
        """The last thing it said, past the lines of a stack trace."""
        if self.code is None:
            return "timed out"
        said = (self.errors.strip() or self.output.strip()).splitlines()
        told = [line.strip() for line in said if not line.strip().startswith(("at ", "from "))]
        return told[-1] if told else f"exit status {self.code}"


def run(
    command: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str],
    seconds: float,
    typed: str = "",
) -> Finished:
    """Run `command` to its end or to the limit; its whole process group ends with it."""
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(typed, timeout=seconds)
    except subprocess.TimeoutExpired:
        end_group(process)
        output, errors = process.communicate()
        return Finished(None, output, errors)
    except BaseException:  # an interrupt from the keyboard does not reach another session
        end_group(process)
        raise
    return Finished(process.returncode, output, errors)


def end_group(process: subprocess.Popen[str]) -> None:
    """Kill a process started in a session of its own, and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
