"""The verbs that look and change nothing: `doctor`, `settings`, `keys`, `openapi`."""

import typer

from authreset.cli.verbs.options import AsJson, example, finish, new_group

keys = new_group("Secret keys.")


def register(app: typer.Typer) -> None:
    """Add the verbs to the program."""
    app.command("doctor", epilog=example("doctor", "doctor --json"))(doctor)
    app.command("settings", epilog=example("settings"))(settings)
    app.add_typer(keys, name="keys")
    app.command("openapi", epilog=example("openapi > openapi.json"))(openapi)


def doctor(as_json: AsJson = False) -> None:
    """Check settings, keys, database, mail server, clock, public URL. Exit status 1 if one fails.

    It changes nothing, and sends no mail.
    """
    from authreset.cli.answers import tell
    from authreset.cli.work.doctor import examine_all

    finish(tell(examine_all(), as_json=as_json))


def settings(as_json: AsJson = False) -> None:
    """List every setting: its value, where that came from, what it means. Secrets are masked."""
    from authreset.cli.answers import tell
    from authreset.cli.work.settings import list_settings

    finish(tell(list_settings(), as_json=as_json))


@keys.callback()
def group() -> None:
    """Keep `keys` a group although it has one verb."""


@keys.command("new", epilog=example("keys new >> new.key"))
def new_key(as_json: AsJson = False) -> None:
    """Print a fresh secret key. It is stored nowhere.

    To rotate: put it first in AUTHRESET_SECRET_KEY, or as the first line of the key file, and keep
    the older keys after it as long as tokens made with them are to work.
    """
    from base64 import urlsafe_b64encode

    from authreset.cli.answers import Answer, tell
    from authreset.clock import random_bytes

    key = urlsafe_b64encode(random_bytes(32)).decode().rstrip("=")
    finish(tell(Answer({"key": key}, key), as_json=as_json))


def openapi(as_json: AsJson = False) -> None:
    """Print the OpenAPI document of the API. It is one JSON object with or without --json."""
    from authreset.cli.answers import tell
    from authreset.cli.work.settings import read_openapi

    finish(tell(read_openapi(), as_json=as_json))
