"""What the body of a call to the intake may say. Who calls, and what is theirs, is elsewhere."""

from authreset.rules.addresses import has_unsafe_characters, is_address
from authreset.rules.outcomes import EntityType
from authreset.web.faults import Fault, bad_request
from authreset.web.reading import Question

LONGEST_EMAIL = 320
LONGEST_ENTRY = 100

NO_ADDRESS = bad_request("email is not an e-mail address.", "Send one such as a@example.com.")
ENTRY_ALONE = bad_request("entry and entryType go together.", "Send both, or neither.")
NO_TYPE = bad_request("entryType is neither 0 nor 2.", "Send 0 for a partner, 2 for a paypoint.")
NO_ENTRY = bad_request("entry is not a valid identifier.", "Send the entry's identifier.")


class ResetQuestion(Question):
    """The body. Every field may be absent or null; others are ignored."""

    email: str | None = None
    entry: str | None = None
    entryType: int | None = None  # noqa: N815 -- the name on the wire


def find_fault(question: ResetQuestion) -> Fault | None:
    """Return what is wrong with the fields themselves, or None."""
    email, entry, type = question.email, question.entry, question.entryType
    if email is not None and (len(email) > LONGEST_EMAIL or not is_address(email)):
        return NO_ADDRESS
    if (entry is None) != (type is None):
        return ENTRY_ALONE
    if entry is None:
        return None
    if type not in (EntityType.ORGANIZATION, EntityType.PAYPOINT):
        return NO_TYPE
    if not entry or len(entry) > LONGEST_ENTRY or has_unsafe_characters(entry):
        return NO_ENTRY
    return None
