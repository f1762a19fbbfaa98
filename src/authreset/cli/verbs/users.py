"""The verbs `user`."""

from enum import StrEnum
from typing import Annotated

import typer

from authreset.cli.verbs.options import AsJson, Entry, example, finish, new_group

users = new_group("Users: add, list, change status or address.")


class Status(StrEnum):
    """The states of a user by name."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    LOCKED = "locked"
    DELETED = "deleted"


_Who = Annotated[str, typer.Argument(help="The user's id or e-mail address.", metavar="USER")]
_Within = Annotated[
    str | None, typer.Option("--entry", help="An entry of the user's organization, to tell apart.")
]


@users.command(
    "add",
    epilog=example(
        'user add --email ada@example.com --entry pilgrim-planner --name "Ada Byron"',
        "user add ... --password-stdin < password.txt",
    ),
)
def add_user(
    email: Annotated[str, typer.Option(help="E-mail address, unique in the root organization.")],
    entry: Entry,
    name: Annotated[str, typer.Option(help="The user's name.")],
    role: Annotated[str, typer.Option(help="What the role at the entry is called.")] = "User",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password, one line, from stdin.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add a user with a role at an entry, which holds for all below it."""
    from authreset.cli.answers import Refusal, tell
    from authreset.cli.opening import run_opened
    from authreset.cli.work import users as work
    from authreset.flows.add_user import NewUser

    password = work.read_password() if password_stdin else None
    if isinstance(password, Refusal):
        finish(tell(password, as_json=as_json))
    new = NewUser(email, entry, name, role, password=password)
    finish(run_opened(lambda opened: work.add(opened, new), as_json=as_json))


@users.command("list", epilog=example("user list --entry pilgrim-planner"))
def list_users(
    entry: Entry,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="List at most so many.")] = 500,
    as_json: AsJson = False,
) -> None:
    """List the users that hold a role at an entry or below it."""
    from authreset.cli.opening import run_opened
    from authreset.cli.work import users as work

    finish(run_opened(lambda opened: work.list_all(opened, entry, limit), as_json=as_json))


@users.command(
    "set-status",
    epilog=example("user set-status ada@example.com inactive", "user set-status 1000004 active"),
)
def set_status(
    user: _Who,
    status: Annotated[Status, typer.Argument(help="The new status.")],
    entry: _Within = None,
    as_json: AsJson = False,
) -> None:
    """Change a user's status. Another status ends the open reset and every session."""
    from authreset.cli.opening import run_opened
    from authreset.cli.work import users as work
    from authreset.flows.change_user import UserChange
    from authreset.rules.lockout import UserStatus

    wanted = UserChange(status=UserStatus[status.name])
    finish(run_opened(lambda opened: work.change(opened, user, entry, wanted), as_json=as_json))


@users.command("set-email", epilog=example("user set-email 1000004 ada@example.org"))
def set_email(
    user: _Who,
    email: Annotated[str, typer.Argument(help="The new e-mail address.")],
    entry: _Within = None,
    as_json: AsJson = False,
) -> None:
    """Change a user's e-mail address. That ends the open reset and every session."""
    from authreset.cli.opening import run_opened
    from authreset.cli.work import users as work
    from authreset.flows.change_user import UserChange

    wanted = UserChange(email=email)
    finish(run_opened(lambda opened: work.change(opened, user, entry, wanted), as_json=as_json))
