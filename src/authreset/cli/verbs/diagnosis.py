"""The verbs that look and change nothing: `doctor`, `settings`, `keys`, `openapi`."""

import typer


def register(app: typer.Typer) -> None:
    """Add the verbs to the program."""
