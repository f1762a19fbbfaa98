"""The verbs `client`."""

from enum import StrEnum
from typing import Annotated

import typer

from authreset.cli.verbs.options import AsJson, Entry, example, finish, new_group
from authreset.cli.verbs.tokens import Type

clients = new_group("OAuth clients: add, list, rotate secrets, revoke.")


class Permission(StrEnum):
    """What a client's tokens may do at most."""

    AUTHRESET = "authreset"
    LOGIN = "login"


_ClientId = Annotated[str, typer.Argument(help="The client's id.", metavar="CLIENT_ID")]
_ID = "1f0c54b8a6d34c1e9b7a2f6d8e3c5a90"


@clients.command(
    "add", epilog=example('client add --entry pilgrim-planner --name "Web shop" --type application')
)
def add_client(
    entry: Entry,
    name: Annotated[str, typer.Option(help="What the client is called.")],
    kind: Annotated[
        Type, typer.Option("--type", help="What its tokens may do: application may log users in.")
    ] = Type.ORGANIZATION,
    permission: Annotated[
        list[Permission] | None,
        typer.Option(help="What its tokens may do at most; default: all. Repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add an OAuth client. Its secret is shown once; only its digest is stored."""
    from authreset.cli.opening import run_opened
    from authreset.cli.work import clients as work
    from authreset.rules.tokens import TokenKind

    permissions = [one.value for one in permission or ()]
    finish(
        run_opened(
            lambda opened: work.add(opened, entry, name, TokenKind[kind.name], permissions),
            as_json=as_json,
        )
    )


@clients.command("list", epilog=example("client list --entry pilgrim-planner"))
def list_clients(entry: Entry, as_json: AsJson = False) -> None:
    """List the OAuth clients of an entry, never their secrets."""
    from authreset.cli.opening import run_opened
    from authreset.cli.work import clients as work

    finish(run_opened(lambda opened: work.list_of(opened, entry), as_json=as_json))


@clients.command("rotate", epilog=example(f"client rotate {_ID} --entry pilgrim-planner"))
def rotate_secret(client_id: _ClientId, entry: Entry, as_json: AsJson = False) -> None:
    """Give a client a second secret. The first goes on working until `client retire`."""
    from authreset.cli.opening import run_opened
    from authreset.cli.work import clients as work

    finish(run_opened(lambda opened: work.rotate(opened, entry, client_id), as_json=as_json))


@clients.command("retire", epilog=example(f"client retire {_ID} < new-secret.txt"))
def retire_secrets(client_id: _ClientId, as_json: AsJson = False) -> None:
    """End every secret of a client but the one that stands on standard input."""
    from authreset.cli.opening import run_opened
    from authreset.cli.work import clients as work

    finish(run_opened(lambda opened: work.retire(opened, client_id), as_json=as_json))


@clients.command("revoke", epilog=example(f"client revoke {_ID}"))
def revoke_client(client_id: _ClientId, as_json: AsJson = False) -> None:
    """Revoke a client with every secret and token it has."""
    from authreset.cli.opening import run_opened
    from authreset.cli.work import clients as work

    finish(run_opened(lambda opened: work.revoke(opened, client_id), as_json=as_json))
