"""The verbs `request`."""

from typing import Annotated

import typer

from authreset.cli.verbs.options import AsJson, example, finish, new_group

requests = new_group("Requests: why did (no) mail arrive?")


@requests.callback()
def group() -> None:
    """Keep `request` a group although it has one verb."""


@requests.command(
    "trace",
    epilog=example(
        "request trace ada@example.com", "request trace 01a209b4-4329-7116-889a-3d7c86624564"
    ),
)
def trace(
    subject: Annotated[
        str,
        typer.Argument(
            help="The address asked about, or a request's id.", metavar="EMAIL|REQUEST_ID"
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Tell why (no) mail arrived: every step with its instant and reason, and what to do."""
    from authreset.cli.opening import run_opened
    from authreset.cli.work import tracing

    finish(run_opened(lambda opened: tracing.trace(opened, subject), as_json=as_json))
