"""The operators' command line: what is typed lives in `verbs`, what is done for it in `work`.

Decisions are the flows'. Here settings are read, parts are put together and answers are printed.
Heavy modules are imported by the verb that needs them, so that `--help` and a typing error cost
nothing.
"""

import sys


def main() -> None:
    """Run the program and exit: 0 well, 1 refused or failed, 2 typed wrongly, 130 interrupted."""
    from authreset.cli.app import run

    sys.exit(run(sys.argv[1:]))
