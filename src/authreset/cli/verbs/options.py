"""Options that several verbs have, and how a verb ends."""

from typing import Annotated, NoReturn

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Entry = Annotated[str, typer.Option("--entry", help="Entry name of the organization or paypoint.")]
NewEntry = Annotated[
    str, typer.Option("--entry", help="Its entry name: unique, at most 100 printable characters.")
]
Name = Annotated[str, typer.Option("--name", help="The name people know.")]
Pairs = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting for it and all below it, as NAME=VALUE. Repeatable."),
]


def finish(status: int) -> NoReturn:
    """End the verb with this exit status."""
    raise typer.Exit(status)


def example(*lines: str) -> str:
    """Return an epilogue of the help with command lines, kept as they are."""
    # The form feed's neighbour, a backspace on a line of its own, keeps a paragraph unwrapped.
    return "\b\nExample:\n" + "\n".join(f"  authreset {line}" for line in lines)


def new_group(purpose: str) -> typer.Typer:
    """Return an empty group of verbs."""
    return typer.Typer(help=purpose, no_args_is_help=True, rich_markup_mode=None)
