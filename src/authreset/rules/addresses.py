"""E-mail addresses as text: what is one, which are the same, how one is shown in a log.

No look-up, no DNS and no delivery lives here. An address that passes may still not exist.
"""

import re
import unicodedata

LONGEST_ADDRESS = 320

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_WIDE_ATOM = r"(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|[^\x00-\x7f])"
# Letters, digits and hyphens, labels of at most 63, the last one no number (RFC 1035, RFC 3696).
_DOMAIN = r"(?!.{254})(?:(?!-)[A-Za-z0-9-]{1,63}+(?<!-)\.)++[A-Za-z][A-Za-z0-9-]{0,62}+(?<!-)"
_is_ascii_address = re.compile(rf"(?![^@]{{65}}){_ATOM}++(?:\.{_ATOM}++)*+@{_DOMAIN}").fullmatch
_is_wide_local = re.compile(rf"{_WIDE_ATOM}++(?:\.{_WIDE_ATOM}++)*+").fullmatch
_is_wide_domain = re.compile(r"(?!-)(?:[a-z0-9]|[^\x00-\x7f]|\.(?!-)|-(?!\.|\Z))++").fullmatch
_is_domain = re.compile(_DOMAIN).fullmatch

# C0, C1, line and paragraph separators, embeddings and isolates of bidi text, lone surrogates.
_find_unsafe = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
).search

_GMAIL_DOMAINS = frozenset({"gmail.com", "googlemail.com"})


def is_address(text: str) -> bool:
    """Tell whether `text` is an e-mail address that this service takes: at most 320 characters.

    The local part is a dot-atom of at most 64 octets (RFC 5321, section 4.5.3.1.1), in UTF-8 if
    need be (RFC 6531); the domain has a dot and at most 253 octets, as an A-label if need be.
    Quoted local parts, comments, address literals, invisible and control characters are refused.
    """
    if len(text) > LONGEST_ADDRESS:
        return False
    if text.isascii():
        return _is_ascii_address(text) is not None
    # Refuses control, format, bidi and private characters, surrogates and unassigned code points:
    # those cannot be seen, or have no stable normal form to look a user up by.
    return text.isprintable() and _is_wide_address(text)


def _is_wide_address(text: str) -> bool:
    # Compatibility characters may fold to "@", "." or a space: both forms have to be well formed.
    local, _, _ = text.rpartition("@")
    folded_local, _, domain = _fold(text).rpartition("@")
    domain = domain.replace("\N{IDEOGRAPHIC FULL STOP}", ".")
    if not (_is_local(local) and _is_local(folded_local) and _is_wide_domain(domain)):
        return False
    # Punycode hides a sign that no host name may have, so the labels were looked at before it.
    return _is_domain(_to_ascii(domain)) is not None


def _is_local(text: str) -> bool:
    return len(text.encode()) <= 64 and _is_wide_local(text) is not None


def address_key(address: str) -> str:
    """Return the key by which a user is looked up, unique inside an organisation.

    NFKC and case folded; an internationalised domain becomes its A-labels (IDNA 2003). Idempotent.
    Never raises: text that is no address gets a key too, which no address has. Letters that fold
    alike (a Kelvin sign and a k) share a key, so mail goes to the stored address, never this one.
    """
    if address.isascii():
        return address.lower()
    local, at, domain = _fold(address).rpartition("@")
    return local + at + _to_ascii(domain)


def _fold(text: str) -> str:
    # Unicode 3.13, D146: one round leaves characters whose case folding normalises further.
    for _ in range(2):
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", text).casefold())
    return text


def _to_ascii(domain: str) -> str:
    if domain.isascii() or len(domain) > LONGEST_ADDRESS:
        return domain
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return domain


def mailbox_key(address: str) -> str:
    """Return the key of the physical mailbox that `address` reaches, for mailing limits only.

    Plus-tags go; dots go at Gmail. Looser than `address_key` on purpose: a flood to a+1@, a+2@, ...
    arrives in one mailbox and counts as one, whereas two users may hold such addresses rightly, so
    a look-up must keep them apart. Guessing too loosely here costs a delayed mail, no account.
    """
    local, at, domain = address_key(address).rpartition("@")
    local = _without_tag(local)
    if domain in _GMAIL_DOMAINS:
        local, domain = local.replace(".", "") or local, "gmail.com"
    return local + at + domain


def _without_tag(local: str) -> str:
    return local.partition("+")[0] or local


def mask_address(address: str) -> str:
    """Return a hint for logs such as `j…@e….com`, or `…` for what is no address. Not reversible."""
    if not is_address(address):
        return "…"
    local, _, domain = address_key(address).rpartition("@")
    return f"{local[0]}…@{domain[0]}….{domain.rpartition('.')[2]}"


def is_plain_text(text: str) -> bool:
    """Tell whether a field is safe to store and to show: one line, nothing invisible that acts."""
    return not has_unsafe_characters(text)


def has_unsafe_characters(text: str) -> bool:
    """Tell whether `text` has control characters, line ends, bidi controls or lone surrogates.

    NUL among them: PostgreSQL refuses it, and with it the whole batch of rows it came in.
    """
    return not text.isprintable() and _find_unsafe(text) is not None
