"""What a mail server's replies mean for a letter, and what of them may be kept.

No connection is made here.
"""

import re
from email.message import EmailMessage

from authreset.mail.addresses import mask_addresses
from authreset.mail.carriers import Accepted, Deferred, Refused

LONGEST_REASON = 200
_LONGEST_READ = 5 * LONGEST_REASON  # bounds the work a hostile server can make

# 552 is what old servers say for "too many recipients" and "mailbox full" (RFC 5321 section
# 4.5.3.1.10: treat it as temporary); the others ask for a login or for TLS, which only our
# operator can mend (RFC 4954 section 6, RFC 3207 section 4).
_TEMPORARY_CODES = {530, 534, 535, 538, 552}

_STATUS = r"(?:2\.\d{1,3}\.\d{1,3}\s+)?"
_QUEUE_IDS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bqueued as (?P<id>[\w.-]{1,100})",  # Postfix, OpenSMTPD's relatives, SendGrid
        r"^OK id=(?P<id>[\w.-]{1,100})",  # Exim
        rf"^{_STATUS}(?P<id>[\w.-]{{1,100}}) Message accepted for delivery",  # Sendmail
        rf"^{_STATUS}OK:? (?P<id>[\w-]{{20,100}})$",  # Amazon SES
    )
)

_LINK = re.compile(r"https?://[^/\s]+(?P<tail>/\S*)", re.IGNORECASE)
_LINK_PARTS = re.compile(r"[/?#&=]")
_SECRET_LENGTH = 16  # no word of a path is as long, every token is longer
_TELLING = 8  # so many characters in a row of a secret give its word away


def judge(code: int, text: str) -> Deferred | Refused:
    """Return what a refusal of MAIL, RCPT or DATA means. `text` must be clean already."""
    if 500 <= code <= 599 and code not in _TEMPORARY_CODES:
        return Refused(code, text)
    return Deferred(code, text)


def acceptance(code: int, text: str, message: EmailMessage) -> Accepted:
    """Return an acceptance with the queue id read from the server's own words."""
    return Accepted(code, clean_reason(text, message), find_queue_id(text))


def find_queue_id(text: str) -> str | None:
    """Return the id under which the server has queued the mail, if it says one we know."""
    for pattern in _QUEUE_IDS:
        if found := pattern.search(text.strip()):
            return found["id"].rstrip(".")
    return None


def clean_reason(text: str, message: EmailMessage) -> str:
    """Return at most 200 printable characters of the text, without links' secrets or addresses.

    A server may quote what it refuses. Each word that shares eight characters with a secret part
    of a link in the mail is left out whole; every address is masked.
    """
    visible = "".join(one if one.isprintable() else " " for one in text[:_LONGEST_READ])
    secrets = link_secrets(message)
    words = ("[link]" if _tells(word, secrets) else word for word in visible.split())
    return mask_addresses(" ".join(words))[:LONGEST_REASON]


def link_secrets(message: EmailMessage) -> list[str]:
    """Return the parts of the mail's links that are long enough to be a token, in lower case."""
    body = message.get_body(("plain",)) or message
    content = body.get_content() if not body.is_multipart() else ""
    parts = (
        part
        for link in _LINK.finditer(str(content))
        for part in _LINK_PARTS.split(link["tail"].lower())
    )
    return [part for part in parts if len(part) >= _SECRET_LENGTH]


def _tells(word: str, secrets: list[str]) -> bool:
    lowered = word.lower()
    pieces = {lowered[at : at + _TELLING] for at in range(len(lowered) - _TELLING + 1)}
    return any(piece in secret for secret in secrets for piece in pieces)
