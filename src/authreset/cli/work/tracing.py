"""Answers why (no) mail arrived."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table
from rich.text import Text

from authreset.cli.answers import Answer, Outcome, Refusal, iso
from authreset.cli.keyfile import load_each, read_key_texts
from authreset.cli.opening import Opened
from authreset.cli.story import Step, Storyteller
from authreset.cli.urls import is_loopback
from authreset.cli.work.users import describe_user
from authreset.flows.trace_request import Trace, TracedRequest, trace_by_email, trace_by_id
from authreset.rules.addresses import is_address
from authreset.rules.keyrings import KeyRing

_EXPLAINED = ("reason", "attempts", "due_at", "client_address", "source", "token_id", "user_id")


async def trace(opened: Opened, subject: str) -> Outcome:
    """Trace one request by its id, or the latest about a mailbox."""
    request_id = _parse_id(subject)
    if request_id is None and not is_address(subject):
        return Refusal(
            f"{subject!r} is neither an e-mail address nor a request id",
            "give the address that was asked about, or the id from the log, which is a UUID",
        )
    async with opened.database.read() as tx:
        if request_id is None:
            found = await trace_by_email(tx, subject, _each_keyring(opened))
        else:
            traced = await trace_by_id(tx, request_id)
            if traced is None:
                return _unknown(subject, opened)
            found = traced
    return _answer(opened, subject, found)


def _parse_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _each_keyring(opened: Opened) -> list[KeyRing]:
    """Return a key ring of each key alone: digests of older requests were made with older keys."""
    return load_each(opened.settings, read_key_texts(opened.settings) or [])


def _unknown(subject: str, opened: Opened) -> Refusal:
    return Refusal(
        f"no request {subject} is kept",
        f"settled requests are kept for {opened.settings.retention_days} days; one that was"
        " answered with an error (400, 401, 429, 503) was never recorded",
    )


def _answer(opened: Opened, subject: str, found: Trace) -> Answer:
    settings = opened.settings
    teller = Storyteller(
        opened.clock(),
        settings.mailbox_limits,
        not settings.smtp_url and (not settings.public_url or is_loopback(settings.public_url)),
    )
    stories = [(traced, teller.tell(traced, found)) for traced in found.requests]
    summary = "" if stories else _nothing(opened)
    data: dict[str, Any] = {
        "subject": subject,
        "summary": summary or stories[0][1][-1].text,
        "requests": [_describe(traced, steps) for traced, steps in stories],
        "users": [
            {**describe_user(user), "organization": found.roots.get(user.root_id)}
            for user in found.users
        ],
    }
    return Answer(data, show=lambda console: _print(console, data, stories))


def _nothing(opened: Opened) -> str:
    return (
        "No request about this mailbox is kept. Nobody asked within the last"
        f" {opened.settings.retention_days} days, or the API answered with an error: 400, 401,"
        " 429 and 503 leave no request behind."
    )


def _describe(traced: TracedRequest, steps: Sequence[Step]) -> dict[str, Any]:
    row = traced.request
    return {
        "id": str(row["id"]),
        "received_at": row["received_at"],
        "email": row["email"],
        "entry": row["entry"],
        "outcome": row["outcome"],
        "settled_at": row["settled_at"],
        **{name: row[name] for name in _EXPLAINED},
        "steps": [
            {"at": step.at, "step": step.name, "text": step.text, "todo": step.todo}
            for step in steps
        ],
        "letter": traced.letter
        and {
            name: traced.letter[name]
            for name in (
                "id",
                "state",
                "recipient",
                "attempts",
                "smtp_code",
                "smtp_text",
                "queue_id",
                "due_at",
                "finished_at",
            )
        },
        "reset": traced.reset
        and {
            name: getattr(traced.reset, name)
            for name in (
                "id",
                "user_id",
                "created_at",
                "expires_at",
                "deadline_at",
                "ended_at",
                "end_reason",
            )
        },
    }


def _print(
    console: Console, data: dict[str, Any], stories: Sequence[tuple[TracedRequest, list[Step]]]
) -> None:
    for traced, steps in stories:
        console.print(f"Request {traced.request['id']}", style="bold")
        console.print(_grid(steps), soft_wrap=False)
        console.print()
    if not stories:
        console.print(data["summary"])
    for user in data["users"]:
        console.print(
            f"User {user['id']} of {user['organization']} has this address: {user['status_name']}."
        )
    if not data["users"]:
        console.print("No user has this address now.")


def _grid(steps: Sequence[Step]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for step in steps:
        when = iso(step.at.replace(microsecond=0)) if step.at else "now"
        grid.add_row("", Text(when), Text(step.text))
        if step.todo:
            grid.add_row("", "", Text(f"What to do: {step.todo}", style="yellow"))
    return grid
