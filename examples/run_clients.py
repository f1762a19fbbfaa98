"""Runs the example clients of eight languages against authreset and says what each one saw.

The way of one run stands here; what each step does stands in `clients/harness/`.
"""

import contextlib
import json
import os
import secrets
import sys
from collections.abc import Iterator
from typing import Annotated

import typer
from clients.harness import commands, letters, report, server
from clients.harness.languages import LANGUAGES, Broken, Language, Missing, prepare
from clients.harness.report import Row
from rich.console import Console
from rich.markup import escape

NAMES = [language.name for language in LANGUAGES]
PREPARE_SECONDS = 600
RUN_SECONDS = 120
START_SECONDS = 60
MAIL_SECONDS = 30

progress = Console(stderr=True, highlight=False)


def tell(text: str) -> None:
    progress.print(f"[dim]{escape(text)}[/]")


def names_in(text: str) -> list[str]:
    """Language names from a comma-separated option. Raises typer.BadParameter on another name."""
    given = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in given if name not in NAMES]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)} is none of {', '.join(NAMES)}")
    return given


def environment_of(language: Language, target: server.Target) -> dict[str, str]:
    """The caller's environment without what the SDKs and authreset would read from it."""
    skipped = ("AUTHRESET_", "OAUTH_CLIENT_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(skipped)}
    kept |= {
        "AUTHRESET_BASE_URL": target.base_url,
        "AUTHRESET_TOKEN": target.token,
        "AUTHRESET_EMAIL": target.addresses[language.name],
        "AUTHRESET_ENTRY": target.entry,
        "AUTHRESET_ENTRY_TYPE": target.entry_type,
    }
    if target.oauth:
        kept["AUTHRESET_CLIENT_ID"] = target.oauth.client_id
        kept["AUTHRESET_CLIENT_SECRET"] = target.oauth.client_secret
    return kept


def run_one(language: Language, target: server.Target) -> Row:
    """Prepare and run one client, then look for its letter."""
    unready = prepare(language, PREPARE_SECONDS, tell)
    if isinstance(unready, Missing):
        return Row(language.name, "missing", unready.reason)
    if isinstance(unready, Broken):
        return Row(language.name, "failed", unready.reason)
    tell(f"{language.name}: {' '.join(language.run)}")
    done = commands.run(
        language.run,
        directory=language.directory,
        environment=environment_of(language, target),
        seconds=RUN_SECONDS,
    )
    return with_mail(row_of(language, target, done), target)


def row_of(language: Language, target: server.Target, done: commands.Finished) -> Row:
    try:
        calls = report.read_calls(done.output)
    except ValueError:
        calls = {}
    if not calls:
        return Row(language.name, "failed", done.complaint)
    first = next(iter(calls.values()))
    return Row(
        language.name,
        "ran",
        note="" if done.code == 0 else f"exit status {done.code}",
        client=first["client"],
        version=first["version"],
        calls=calls,
        knows_oauth=language.knows_oauth,
        asked_oauth=language.knows_oauth and target.oauth is not None,
    )


def with_mail(row: Row, target: server.Target) -> Row:
    if target.root and row.state == "ran":
        address = target.addresses[row.language]
        row.letters = len(letters.await_letters(target.root, address, MAIL_SECONDS))
    return row


def follow_a_letter(rows: list[Row], target: server.Target) -> letters.NewPassword | None:
    """Take the letter of the first client that got one to a new password and a login."""
    row = next((row for row in rows if row.letters), None)
    if row is None or target.root is None:
        return None
    tell(f"{row.language}: following the link of its letter to a new password")
    address = target.addresses[row.language]
    letter = letters.await_letters(target.root, address, MAIL_SECONDS)[-1]
    return letters.set_password(target, address, letter, secrets.token_urlsafe(24))


@contextlib.contextmanager
def target_of(base_url: str, names: list[str]) -> Iterator[server.Target]:
    if base_url:
        yield server.running(base_url, names)
        return
    tell("authreset: a demo tree and a server of its own")
    with server.own_server(names, START_SECONDS) as target:
        yield target


def is_good(rows: list[Row], needed: list[str], new_password: letters.NewPassword | None) -> bool:
    """A missing language is no failure unless it is needed; a run of no client at all is one."""
    bad = [row for row in rows if not row.ok and (row.state != "missing" or row.language in needed)]
    ran = any(row.state == "ran" for row in rows)
    return ran and not bad and (new_password is None or new_password.ok)


def show(rows: list[Row], target: server.Target, new_password: letters.NewPassword | None) -> None:
    console = Console(highlight=False)
    console.print(report.as_table(rows))
    for note in report.notes(rows):
        console.print(escape(note))
    if target.root and any(row.letters == 0 for row in rows):
        console.print(f"the server's log: {server.LOG.relative_to(server.ROOT)}")
    if target.oauth is None:
        console.print("OAuth not asked: no AUTHRESET_CLIENT_ID in the environment")
    if new_password:
        colour = "green" if new_password.ok else "red"
        console.print(
            f"[{colour}]from letter to login: {new_password.step}: {new_password.status}[/]"
        )


def main(
    only: Annotated[str, typer.Option(help="Run these alone, comma-separated.")] = "",
    require: Annotated[str, typer.Option(help="A missing one of these is a failure.")] = "",
    base_url: Annotated[
        str,
        typer.Option(
            help="Call a server that runs already (its URL up to /api). AUTHRESET_TOKEN,"
            " AUTHRESET_EMAIL, AUTHRESET_ENTRY and AUTHRESET_ENTRY_TYPE describe it;"
            " its letters are not looked at and nobody's password is changed."
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run the example clients against authreset and print what each one saw.

    A language whose toolchain or packages are not on this machine is a row that says so. The exit
    status is 0 when every client that ran got the answers of the contract and its mail.

    Example: python examples/run_clients.py --only python,ruby --require python
    """
    chosen, needed = names_in(only) or NAMES, names_in(require)
    if not set(needed) <= set(chosen):
        raise typer.BadParameter("--require names a language that --only leaves out")
    try:
        with target_of(base_url, chosen) as target:
            rows = [run_one(each, target) for each in LANGUAGES if each.name in chosen]
            new_password = follow_a_letter(rows, target)
    except server.ServerFaultError as fault:
        progress.print(f"[red]{escape(str(fault))}[/]")
        raise typer.Exit(1) from fault
    ok = is_good(rows, needed, new_password)
    if as_json:
        sys.stdout.write(json.dumps(report.as_object(rows, new_password, ok)) + "\n")
    else:
        show(rows, target, new_password)
    raise typer.Exit(0 if ok else 1)


if __name__ == "__main__":
    typer.run(main)
