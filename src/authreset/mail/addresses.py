"""Mailbox addresses as SMTP carries them, and as people other than their owner may see them.

Whether a mailbox belongs to an account never matters here.
"""

import re

from email_validator import EmailNotValidError, validate_email

# RFC 5321 section 4.5.3.1: the longest local part; the longest domain.
_LONGEST_LOCAL, _LONGEST_DOMAIN = 64, 255

# A dot-atom of RFC 5322 section 3.2.3, widened to Unicode as RFC 6531 does. Quoted local parts and
# comments are left out on purpose: they are what header and command injection is made of.
_ATOM = r'[^\s()<>\[\]:;@\\,."\x00-\x20\x7f]+'
_DOT_ATOM = rf"{_ATOM}(?:\.{_ATOM})*"
_ADDRESS = re.compile(rf"({_DOT_ATOM})@({_DOT_ATOM})")
_ADDRESS_IN_TEXT = re.compile(r"[^\s<>(),;:@]+(?:@|%40)[^\s<>(),;:@]+", re.IGNORECASE)


def wire_address(address: str) -> str:
    """Return the address as it goes into SMTP commands and headers.

    A domain outside ASCII becomes A-labels (RFC 5891) where the local part is ASCII, so that
    SMTPUTF8 is needed only where nothing else helps. Raises ValueError, which never quotes the
    address, unless the address is a plain dot-atom, an at sign and a domain.
    """
    found = _ADDRESS.fullmatch(address)
    if not found or not address.isprintable() or "=?" in address:
        raise ValueError("not an address that can be mailed")
    local, domain = found.groups()
    if len(local.encode()) > _LONGEST_LOCAL or len(domain.encode()) > _LONGEST_DOMAIN:
        raise ValueError("an address longer than SMTP carries")
    return address if address.isascii() else _with_ascii_domain(address)


def _with_ascii_domain(address: str) -> str:
    try:
        valid = validate_email(
            address, check_deliverability=False, globally_deliverable=False, test_environment=True
        )
    except EmailNotValidError:
        raise ValueError("not an address that can be mailed") from None
    return valid.ascii_email or valid.normalized


def domain_of(address: str) -> str:
    """Return the domain of an address."""
    return address.rpartition("@")[2]


def mask_address(address: str) -> str:
    """Return the address with its local part hidden but for the first character."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"


def mask_addresses(text: str) -> str:
    """Return the text with everything in it that looks like an address masked."""
    return _ADDRESS_IN_TEXT.sub(
        lambda found: mask_address(found[0].lower().replace("%40", "@")), text
    )
