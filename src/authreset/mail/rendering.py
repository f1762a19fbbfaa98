"""Turns a letter into a mail: subject, text and HTML from templates, and a fixed set of headers.

Nothing is sent or kept here, and no fact is looked up: what a mail says stands in its envelope.
"""

from email.message import EmailMessage
from functools import lru_cache
from typing import assert_never
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from authreset.mail.addresses import domain_of, wire_address
from authreset.mail.headers import LetterPolicy, mailbox, one_line
from authreset.mail.letters import Brand, Envelope, Letter, PasswordChangedLetter, ResetLetter
from authreset.mail.wording import describe_duration, describe_instant, readable_ink

_LONGEST_LINE = 998  # RFC 5322 section 2.1.1, without the line end
_LONGEST_ADDRESS = 320
_POLICY = LetterPolicy()


def render(envelope: Envelope) -> EmailMessage:
    """Return the mail: multipart/alternative, text first, then HTML without any remote resource.

    The same envelope always yields the same octets, Message-ID and boundary included. Line ends
    and control characters in names are neutralised. Raises ValueError, which quotes no address,
    if an address cannot be mailed or the sender's needs SMTPUTF8.
    """
    context = _context(envelope)
    name = _template_name(envelope.letter)
    message = _headed(envelope, subject=_written(f"{name}.subject.txt", context))
    text = _written(f"{name}.txt", context)
    message.set_content(text, charset="utf-8", cte=_transfer_encoding(text))
    html = _written(f"{name}.html", context | {"subject": message["Subject"]})
    message.add_alternative(html, subtype="html", charset="utf-8", cte="quoted-printable")
    message.set_boundary(f"=_{envelope.letter_id.hex}")
    return message


def _headed(envelope: Envelope, subject: str) -> EmailMessage:
    sender, recipient = wire_address(envelope.sender_address), wire_address(envelope.recipient)
    if not sender.isascii():
        raise ValueError("a sender's address whose local part needs SMTPUTF8")
    message = EmailMessage(policy=_POLICY.clone(utf8=not recipient.isascii()))
    message["From"] = mailbox(one_line(envelope.sender_name), sender)
    message["To"] = mailbox("", recipient)
    message["Subject"] = one_line(subject, longest=2 * _LONGEST_ADDRESS)
    message["Date"] = envelope.created_at
    message["Message-ID"] = f"<{envelope.letter_id.hex}@{domain_of(sender)}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834
    message["X-Auto-Response-Suppress"] = "All"  # Exchange and Outlook heed this one instead
    return message


def _transfer_encoding(text: str) -> str:
    """Keep ASCII as it is, so that the link stands whole even in the mail's source."""
    fits = text.isascii() and max(map(len, text.splitlines())) <= _LONGEST_LINE
    return "7bit" if fits else "quoted-printable"


def _template_name(letter: Letter) -> str:
    match letter:
        case ResetLetter():
            return "reset"
        case PasswordChangedLetter():
            return "password_changed"
        case _:
            assert_never(letter)


def _context(envelope: Envelope) -> dict[str, object]:
    brand = envelope.brand
    return {
        "brand": one_line(brand.name),
        "support": _clean(brand.support_address),
        "support_url": "mailto:" + quote(_clean(brand.support_address) or "", safe="@"),
        "accent": brand.accent,
        "accent_ink": readable_ink(brand.accent),
        "language": _language(brand),
        "account": _clean(envelope.letter.account_address),
        "client": _clean(envelope.letter.client_address),
        **_facts(envelope.letter),
    }


def _facts(letter: Letter) -> dict[str, object]:
    match letter:
        case ResetLetter():
            return {
                "link": letter.link,
                "lifetime": describe_duration(letter.lifetime),
                "requested": describe_instant(letter.requested_at),
            }
        case PasswordChangedLetter():
            return {
                "forgot_url": letter.forgot_url,
                "changed": describe_instant(letter.changed_at),
            }
        case _:
            assert_never(letter)


def _clean(text: str | None) -> str | None:
    return one_line(text, longest=_LONGEST_ADDRESS) if text else None


def _language(brand: Brand) -> str:
    """Name the language the templates are written in, in the brand's regional form of it."""
    return brand.locale if brand.locale.split("-")[0].lower() == "en" else "en"


def _written(template: str, context: dict[str, object]) -> str:
    return _templates().get_template(template).render(context)


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("authreset.mail"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
