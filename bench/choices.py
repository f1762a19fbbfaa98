"""What a user chose to measure, checked. The command line itself lives in `__main__`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.authreset import Authreset
from bench.deliveries import idle_delivery, mailer_rate, worker_rate
from bench.pgbench import PgbenchRow
from bench.probe import QUICK, Probe, Sizes
from bench.rows import Effort, HttpRow, Row
from bench.starts import start_up
from bench.tails import backlog, hashing, mailing, quiet
from bench.workshop import DATABASES
from bench.yardsticks import Ceiling, Conventional

PROBES: dict[str, list[tuple[str, Probe]]] = {
    "starts": [("start-up and rest", start_up)],
    "deliveries": [
        ("200 to SMTP acceptance, idle", idle_delivery),
        ("worker, requests worked off", worker_rate),
        ("mailer, letters accepted", mailer_rate),
    ],
    "tails": [
        ("intake, quiet", quiet),
        ("intake, mailer at full speed", mailing),
        ("intake, four Argon2 hashes", hashing),
        ("intake, backlog", backlog),
    ],
}
ROWS = ["a", "b", "c", "d"]
CONNECTIONS = [1, 16, 64, 256]
QUICK_CONNECTIONS = [1, 64]


@dataclass(frozen=True, slots=True)
class Choice:
    """What to measure and how thoroughly."""

    rows: list[str]
    databases: list[str]
    connections: list[int]
    processes: list[int]
    separate: list[str]
    effort: Effort
    sizes: Sizes
    repeats: int
    directory: Path

    def probes(self) -> list[tuple[str, Probe]]:
        """Return the separate measurements that were chosen."""
        return [probe for name in self.separate for probe in PROBES[name]]


def words(text: str, known: Sequence[str], option: str) -> list[str]:
    """Return the words of a comma-separated list; ValueError for one that is not known."""
    if text == "none":
        return []
    chosen = list(dict.fromkeys(word.strip() for word in text.split(",")))
    for word in chosen:
        if word not in known:
            raise ValueError(f"{option}: {word!r} is none of {', '.join(known)}, none")
    return chosen


def counts(text: str, option: str) -> list[int]:
    """Return the whole numbers above zero of a comma-separated list; ValueError for others."""
    chosen = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) > 0 for word in chosen):
        raise ValueError(f"{option}: {text!r} is no list of whole numbers above zero")
    return [int(word) for word in dict.fromkeys(chosen)]


def sizes(quick: bool, seconds: float | None) -> Sizes:
    """Return the sizes of the separate measurements."""
    chosen = QUICK if quick else Sizes()
    return chosen if seconds is None else replace(chosen, seconds=seconds)


def rows(letters: Sequence[str], product: Authreset) -> list[Row]:
    """Return the rows of these letters."""
    databases = frozenset(DATABASES)
    known: list[Row] = [
        HttpRow("a", "authreset", databases, product, single=frozenset({"sqlite"})),
        HttpRow("b", "conventional", databases, Conventional()),
        HttpRow("c", "ceiling", frozenset({"none"}), Ceiling()),
        PgbenchRow(),
    ]
    return [row for row in known if row.letter in letters]
