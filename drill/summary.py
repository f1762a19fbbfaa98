"""What happened in each round and by each fault, in numbers. Nothing is judged here."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from drill.audit import Violation
from drill.audit.evidence import row_id
from drill.ledgers import Call, Evidence, Person, person_of
from drill.rounds import Round


@dataclass
class Figures:
    """Counts of one fault, or of all of them together.

    `unknown`: calls that got no answer. `unacknowledged`: recorded without the caller's getting a
    200. `stale`: attempts refused because their lease was over. `worst_delay`: seconds from a 200
    to the acceptance of its mail; `worst_back`: from a fault's end to the last program's first
    200; `worst_mail`: from there to the first mail; `worst_refusal`: the longest that a 503 took.
    """

    rounds: int = 0
    calls: int = 0
    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0
    unacknowledged: int = 0
    mails: int = 0
    duplicates: int = 0
    stale: int = 0
    worst_refusal: float = 0.0
    worst_delay: float = 0.0
    worst_back: float = 0.0
    worst_mail: float = 0.0
    violations: int = 0

    def add(self, other: "Figures") -> None:
        """Add another's counts, and keep the worse of the worst."""
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            join = max if one.name.startswith("worst") else sum
            setattr(self, one.name, join((mine, theirs)))


@dataclass
class Summary:
    """Figures by fault and in all. What came after the last round counts as the last one's."""

    total: Figures = field(default_factory=Figures)
    faults: dict[str, Figures] = field(default_factory=lambda: defaultdict(Figures))


def summarise(
    evidence: Evidence,
    rounds: Sequence[Round],
    violations: Sequence[Violation],
    stale: Sequence[float],
) -> Summary:
    """Count everything, each thing in the round in which it began."""
    figures = [
        Figures(rounds=1, worst_back=one.back_seconds or 0.0, worst_mail=one.mail_seconds or 0.0)
        for one in rounds
    ]
    place = _Place([one.began_at for one in rounds], figures)
    _count_calls(evidence, place)
    _count_mails(evidence, place)
    for at in stale:
        place(at).stale += 1
    for violation in violations:
        place(violation.at).violations += 1
    summary = Summary()
    for one, its in zip(rounds, figures, strict=True):
        summary.total.add(its)
        for name in one.faults:
            summary.faults[name].add(its)
    return summary


@dataclass(frozen=True)
class _Place:
    """Finds the figures of the round in which an instant lies; the last one's for None."""

    begins: list[float]
    figures: list[Figures]

    def __call__(self, at: float | None) -> Figures:
        number = len(self.begins) if at is None else bisect_right(self.begins, at)
        return self.figures[max(number - 1, 0)]


def _count_calls(evidence: Evidence, place: _Place) -> None:
    told = {row_id(one.request_id): one for one in evidence.calls if one.request_id}
    for call in evidence.calls:
        its = place(call.sent_at)
        its.calls += 1
        its.acknowledged += call.is_acknowledged
        its.refused += call.status == 503
        its.unknown += call.status is None
        if call.status == 503:
            its.worst_refusal = max(its.worst_refusal, call.seconds)
    for row in evidence.requests:
        call_of_row = told.get(row.id)
        if call_of_row is None or not call_of_row.is_acknowledged:
            place(row.received_at).unacknowledged += 1


def _count_mails(evidence: Evidence, place: _Place) -> None:
    first: dict[str, float] = {}
    for mail in evidence.taken:
        its = place(mail.at)
        its.mails += 1
        its.duplicates += mail.message_id in first
        first.setdefault(mail.message_id, mail.at)
    letters = {one.id: one.letter_id for one in evidence.requests}
    for call in evidence.calls:
        taken_at = _taken_at(call, letters, first)
        if taken_at is not None:
            its = place(call.sent_at)
            its.worst_delay = max(its.worst_delay, taken_at - call.answered_at)


def _taken_at(call: Call, letters: dict[str, str | None], first: dict[str, float]) -> float | None:
    if not call.is_acknowledged or person_of(call.email) is not Person.MEMBER:
        return None
    return first.get(letters.get(row_id(call.request_id or "")) or "")
