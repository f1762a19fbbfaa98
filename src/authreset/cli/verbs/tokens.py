"""The verbs `token`."""

from enum import StrEnum
from typing import Annotated

import typer

from authreset.cli.verbs.options import AsJson, Entry, example, finish, new_group

tokens = new_group("API tokens: issue, list, revoke.")


class Type(StrEnum):
    """What a token may do: an application token may manage and log in users too."""

    ORGANIZATION = "organization"
    APPLICATION = "application"


class Mode(StrEnum):
    """Where a token may be seen: a public one, in a front end, may start resets and no more."""

    PRIVATE = "private"
    PUBLIC = "public"


@tokens.command(
    "issue",
    epilog=example(
        "token issue --entry pilgrim-planner --type organization --months 12",
        "token issue --entry pilgrim-planner --type application --network 203.0.113.0/24",
    ),
)
def issue_token(
    entry: Entry,
    kind: Annotated[
        Type, typer.Option("--type", help="What it may do: application may log users in.")
    ],
    mode: Annotated[Mode, typer.Option(help="public: only starts resets, for front ends.")] = (
        Mode.PRIVATE
    ),
    months: Annotated[int, typer.Option(min=1, max=24, help="Its lifetime in months.")] = 12,
    network: Annotated[
        list[str] | None,
        typer.Option(help="Network it may be used from, such as 203.0.113.0/24. Repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Issue an API token. It is shown once; only its digest is stored."""
    from authreset.cli.opening import run_opened
    from authreset.cli.work import tokens as work
    from authreset.flows.issue_token import NewApiToken
    from authreset.rules.outcomes import TokenMode
    from authreset.rules.tokens import TokenKind

    new = NewApiToken(
        entry, TokenKind[kind.name], TokenMode(mode.value), months, tuple(network or ())
    )
    finish(run_opened(lambda opened: work.issue(opened, new), as_json=as_json))


@tokens.command("list", epilog=example("token list --entry pilgrim-planner"))
def list_tokens(entry: Entry, as_json: AsJson = False) -> None:
    """List the API tokens of an entry: ids, limits and states, never the tokens."""
    from authreset.cli.opening import run_opened
    from authreset.cli.work import tokens as work

    finish(run_opened(lambda opened: work.list_of(opened, entry), as_json=as_json))


@tokens.command(
    "revoke", epilog=example("token revoke 7", "token revoke --token-stdin < leaked-token.txt")
)
def revoke_token(
    token_id: Annotated[
        int | None, typer.Argument(min=1, max=2**63 - 1, help="The token's id.", metavar="ID")
    ] = None,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the token itself, one line, from stdin.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Revoke an API token. Within five seconds it is refused everywhere."""
    if (token_id is None) != token_stdin:
        raise typer.BadParameter("give either an ID or --token-stdin")
    from authreset.cli.opening import run_opened
    from authreset.cli.work import tokens as work

    finish(run_opened(lambda opened: work.revoke(opened, token_id), as_json=as_json))
