"""The evidence, arranged so that checks find what belongs together."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from drill.ledgers import Call, Evidence, LetterRow, RequestRow, ResetRow, Taken

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise: its kind, what it is about, and when it happened, if that is known."""

    kind: str
    detail: str
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """Rows by their ids, and what there can be several of by what it belongs to."""

    evidence: Evidence
    requests: dict[str, RequestRow]
    letters: dict[str, LetterRow]
    resets: dict[str, ResetRow]
    taken_by_queue_id: dict[str, Taken]
    taken_by_letter: dict[str, list[Taken]]
    requests_by_email: dict[str, list[RequestRow]]
    calls_by_email: dict[str, list[Call]]

    @classmethod
    def of(cls, evidence: Evidence) -> "Index":
        """Arrange the evidence."""
        return cls(
            evidence=evidence,
            requests={one.id: one for one in evidence.requests},
            letters={one.id: one for one in evidence.letters},
            resets={one.id: one for one in evidence.resets},
            taken_by_queue_id={one.queue_id: one for one in evidence.taken},
            taken_by_letter=grouped(evidence.taken, lambda one: one.message_id),
            requests_by_email=grouped(evidence.requests, lambda one: one.email),
            calls_by_email=grouped(evidence.calls, lambda one: one.email),
        )


def grouped(items: Iterable[V], key: Callable[[V], K]) -> dict[K, list[V]]:
    """Return lists of items by their key, in order."""
    found: dict[K, list[V]] = defaultdict(list)
    for one in items:
        found[key(one)].append(one)
    return found


def row_id(request_id: str) -> str:
    """Return the id of a row as it stands in a ledger, from an X-Request-Id."""
    return request_id.replace("-", "").lower()
