"""What was seen, a row a language: the verdict, the table for people, the object for programs."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from clients.harness.letters import NewPassword
from rich import box
from rich.table import Table

# The statuses of the contract; a client that knows OAuth makes the same calls once more with it.
STATUSES = {"empty": 200, "address": 200, "refused_token": 401, "bad_email": 400}
OAUTH_CALLS = tuple(f"oauth_{call}" for call in STATUSES)


@dataclass(slots=True)
class Row:
    """One language. `state` is ran, missing (not to be had on this machine) or failed.

    `note` says what went wrong or is missing; `letters` is None where none could be looked for.
    """

    language: str
    state: str
    note: str = ""
    client: str = ""
    version: str = ""
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    knows_oauth: bool = False
    asked_oauth: bool = False
    letters: int | None = None

    @property
    def ok(self) -> bool:
        return self.state == "ran" and not (self.note or self.wrong_calls or self.letters == 0)

    @property
    def wrong_calls(self) -> list[str]:
        expected = (*STATUSES, *OAUTH_CALLS) if self.asked_oauth else STATUSES
        absent = [call for call in expected if call not in self.calls]
        return absent + [call for call in self.calls if not self.is_right(call)]

    def is_right(self, call: str) -> bool:
        """The client says so, and the status agrees where the contract names one."""
        seen = self.calls.get(call)
        return bool(seen and seen["ok"] and seen["status"] == STATUSES.get(call, seen["status"]))


def read_calls(output: str) -> dict[str, dict[str, Any]]:
    """The lines that a client printed, by call. Raises ValueError on a line of another form."""
    lines = [json.loads(line) for line in output.splitlines() if line.strip()]
    if not all(
        isinstance(line, dict) and {"call", "status", "ok"} <= line.keys() for line in lines
    ):
        raise ValueError("a line without call, status and ok")
    return {line["call"]: line for line in lines}


def as_object(rows: list[Row], new_password: NewPassword | None, ok: bool) -> dict[str, Any]:
    return {
        "ok": ok,
        "clients": [asdict(row) | {"ok": row.ok} for row in rows],
        "new_password": asdict(new_password) if new_password else None,
    }


def as_table(rows: list[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("language", no_wrap=True)
    table.add_column("client", overflow="fold")
    for heading in ("empty", "address", "bad\ntoken", "bad\ne-mail", "OAuth", "mail"):
        table.add_column(heading)
    for row in rows:
        table.add_row(row.language, *_cells(row))
    return table


def notes(rows: list[Row]) -> list[str]:
    """A line for each row that has more to say than its cells."""
    return [f"{row.language}: {row.state}: {_note(row)}" for row in rows if _note(row)]


def _note(row: Row) -> str:
    wrong = f"wrong: {', '.join(row.wrong_calls)}" if row.state == "ran" and row.wrong_calls else ""
    letterless = "no letter came" if row.letters == 0 else ""
    return ", ".join(filter(None, (row.note, wrong, letterless)))


def _cells(row: Row) -> tuple[str, ...]:
    if row.state == "missing":
        return ("[yellow]missing[/]",)
    if row.state == "failed":
        return ("[red]failed[/]",)
    calls = (_cell(row, call) for call in STATUSES)
    return (f"{row.client} {row.version}", *calls, _oauth(row), _mail(row))


def _cell(row: Row, call: str) -> str:
    status = row.calls[call]["status"] if call in row.calls else "no line"
    return f"[green]{status}[/]" if row.is_right(call) else f"[red]{status}[/]"


def _oauth(row: Row) -> str:
    if not row.asked_oauth:
        return "[yellow]not asked[/]" if row.knows_oauth else "[dim]none[/]"
    right = [call for call in OAUTH_CALLS if row.is_right(call)]
    colour = "green" if len(right) == len(OAUTH_CALLS) else "red"
    return f"[{colour}]{len(right)} of {len(OAUTH_CALLS)}[/]"


def _mail(row: Row) -> str:
    if row.letters is None:
        return "[yellow]not seen[/]"
    return "[green]yes[/]" if row.letters else "[red]no[/]"
