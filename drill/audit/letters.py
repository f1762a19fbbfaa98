"""What was mailed: nothing that nobody asked for, and twice only the very same."""

from collections.abc import Iterator

from drill.audit.evidence import Index, Violation
from drill.ledgers import Taken


def check_letters(index: Index) -> Iterator[Violation]:
    """Find mails without a request, to the wrong person, and duplicates that differ."""
    asked_for = {one.letter_id for one in index.evidence.requests if one.letter_id}
    for mail in index.evidence.taken:
        for kind, detail in _faults(index, mail, asked_for):
            yield Violation(kind, f"{mail.queue_id}: {detail}", mail.at)
    for letter_id, copies in index.taken_by_letter.items():
        if len({(one.recipient, one.token) for one in copies}) > 1:
            yield Violation("duplicates differ", f"letter {letter_id}", copies[-1].at)


def _faults(index: Index, mail: Taken, asked_for: set[str]) -> Iterator[tuple[str, str]]:
    letter = index.letters.get(mail.message_id)
    if letter is None:
        yield "unasked mail", "it is no letter of the database's"
    elif letter.id not in asked_for:
        yield "unasked mail", "no request asked for it"
    elif letter.recipient != mail.recipient:
        yield "wrong person", "the letter is for another"
    elif index.evidence.users.get(mail.recipient) != letter.user_id:
        yield "wrong person", "the recipient is another user"
