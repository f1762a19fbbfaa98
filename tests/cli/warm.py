"""Runs the real program many times, each in a process of its own, without the cost of imports.

This process imports the program once and forks for every run. A run has its own environment,
working directory and streams, and nothing of it comes back but its exit status.
"""

import importlib
import json
import os
import sys
import traceback
from typing import Any

MODULES = ("demo", "doctor", "clients", "migrating", "preflight", "settings", "tokens", "tracing",
           "tree", "users")  # fmt: skip


def main() -> None:
    """Answer each line on standard input, a run as JSON, with its exit status."""
    for name in MODULES:
        importlib.import_module(f"authreset.cli.work.{name}")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(asked: dict[str, Any]) -> None:
    status = 70
    try:
        os.chdir(asked["directory"])
        os.environ.clear()
        os.environ.update(asked["environ"])
        for number, name, flags in ((0, "in", os.O_RDONLY), (1, "out", os.O_WRONLY),
                                    (2, "err", os.O_WRONLY)):  # fmt: skip
            os.dup2(os.open(asked[name], flags), number)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
        sys.argv = ["authreset", *asked["arguments"]]
        from authreset.cli import main as program

        program()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 71
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
