"""Tables as people read them in a terminal. Imported only when one is printed."""

from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from authreset.cli.answers import Show

WORD_STYLES: Mapping[str, str] = {
    "ok": "green",
    "warn": "yellow",
    "fail": "bold red",
    "active": "green",
    "revoked": "dim",
    "expired": "dim",
    "deleted": "dim",
    "locked": "yellow",
    "inactive": "yellow",
}


def show_table(headers: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> Show:
    """Return how to print a table, or the sentence `empty` when it has no rows."""
    listed = list(rows)

    def show(console: Console) -> None:
        if not listed:
            console.print(empty)
            return
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for header in headers:
            table.add_column(header, overflow="fold")
        for row in listed:
            table.add_row(*(Text(cell, style=WORD_STYLES.get(cell, "")) for cell in row))
        console.print(table, soft_wrap=False)

    return show
