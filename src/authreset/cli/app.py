"""The program's verbs, and what a typing error looks like to people and to programs."""

import os
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from authreset.cli.answers import MISTYPED, REFUSED, SUCCEEDED, Refusal, tell, tell_mistyped
from authreset.cli.verbs import clients, diagnosis, requests, running, tokens, tree, users


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"authreset {version('authreset')}")
        raise typer.Exit


app = typer.Typer(
    name="authreset",
    help="Account recovery for platforms with many tenants: the operators' program.",
    epilog="Start with: authreset demo, then authreset serve. Settings: authreset settings.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def program(
    _show_version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_tell_version),
    ] = False,
) -> None:
    """Take the options that need no verb."""


running.register(app)
app.add_typer(tree.organizations, name="organization")
app.add_typer(tree.paypoints, name="paypoint")
app.add_typer(users.users, name="user")
app.add_typer(tokens.tokens, name="token")
app.add_typer(clients.clients, name="client")
app.add_typer(requests.requests, name="request")
diagnosis.register(app)


def run(arguments: Sequence[str]) -> int:
    """Run one verb and return the exit status."""
    as_json = "--json" in arguments
    try:
        status = app(list(arguments), prog_name="authreset", standalone_mode=not as_json)
    except typer.TyperException as mistake:
        return tell_mistyped(mistake.format_message(), "`authreset --help`, or --help after a verb")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else MISTYPED
    except BrokenPipeError:
        # Whoever read us has gone; the interpreter would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return REFUSED
    except Exception as fault:
        if not as_json:
            raise
        return _tell_fault(fault)
    return status if isinstance(status, int) else SUCCEEDED


def _tell_fault(fault: Exception) -> int:
    """Tell a program of a fault of ours; whoever reads standard error gets the rest of it."""
    traceback.print_exception(fault)
    refusal = Refusal(f"a fault of authreset: {type(fault).__name__}", "report what is on stderr")
    return tell(refusal, as_json=True)
