"""What a verb answers, and how it is printed: for people, or as one JSON object for programs.

Nothing here knows what the answers are about.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console

SUCCEEDED, REFUSED, MISTYPED = 0, 1, 2
_PIPED_WIDTH = 1000


class Show(Protocol):
    """Prints an answer for people."""

    def __call__(self, console: "Console", /) -> None:
        """Print it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was done or found. `data` is the JSON object; `text` or `show` says it to people."""

    data: Mapping[str, Any]
    text: str = ""
    show: Show | None = None
    status: int = SUCCEEDED


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing was done: why not, and what to do about it."""

    error: str
    todo: str


Outcome: TypeAlias = Answer | Refusal


def tell(outcome: Outcome, *, as_json: bool) -> int:
    """Print an outcome and return the exit status it means."""
    if as_json:
        return _tell_program(outcome)
    if isinstance(outcome, Refusal):
        sys.stderr.write(f"authreset: {outcome.error}\n  What to do: {outcome.todo}\n")
        return REFUSED
    _tell_person(outcome)
    return outcome.status


def tell_mistyped(message: str, todo: str) -> int:
    """Print, as JSON, that the command was typed wrongly."""
    _write_object({"error": message, "todo": todo})
    return MISTYPED


def _tell_program(outcome: Outcome) -> int:
    if isinstance(outcome, Refusal):
        _write_object({"error": outcome.error, "todo": outcome.todo})
        return REFUSED
    _write_object(outcome.data)
    return outcome.status


def _write_object(data: Mapping[str, Any]) -> None:
    # ASCII alone, so that no locale of the reader's can turn a name into a fault.
    sys.stdout.write(json.dumps(dict(data), default=_plain) + "\n")
    sys.stdout.flush()


def _plain(value: object) -> str:
    return iso(value) if isinstance(value, datetime) else str(value)


def iso(instant: datetime) -> str:
    """Return an instant as RFC 3339 writes it, in UTC."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _tell_person(answer: Answer) -> None:
    from rich.console import Console

    # Markup and highlighting are off: what is printed comes from tenants and from the network.
    # What reads a pipe wants whole lines, however long.
    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    console = Console(markup=False, highlight=False, emoji=False, soft_wrap=True, width=width)
    if answer.show is not None:
        answer.show(console)
    elif answer.text:
        console.print(answer.text)
