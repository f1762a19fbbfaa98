"""Mail headers written so that no value can become a second header or a second recipient.

The standard library cannot be trusted with that on every Python this package runs on: there, a
long quoted display name loses its quotes when folded, so that a comma in it makes a recipient
(CPython issue 121284), and an encoded word within a name is decoded before it is written, line
ends and all. So names are cleaned on the way in, and this module writes the lines itself.
"""

import re
import unicodedata
from base64 import b64encode
from email.headerregistry import Address, HeaderRegistry
from email.policy import EmailPolicy
from typing import Any

LONGEST_NAME = 120

_CONTROLS = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_ATOM_WORDS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
# RFC 2047 section 2: a line with encoded words has at most 76 characters. 39 octets make a word of
# 64, which leaves room for the header's name before the first.
_ENCODED_WORD_OCTETS = 39
_LINE_LENGTH = 78
_JOINERS = {"\u200c", "\u200d"}  # needed inside words of several scripts, and harmless


def one_line(text: str, longest: int = LONGEST_NAME) -> str:
    """Return the text on one line, without control or direction characters, cut at `longest`.

    Encoded words (RFC 2047) are broken up, so that no reader of the header decodes them.
    """
    visible = "".join(" " if _is_control(one) else one for one in text)
    return " ".join(visible.split()).replace("=?", "= ?")[:longest].rstrip()


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in _CONTROLS and character not in _JOINERS


def mailbox(name: str, address: str) -> Address:
    """Return the value of a From or To header; both parts must be clean already."""
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)


class _Kinds(HeaderRegistry):
    """The standard registry makes a class anew for each header of each letter; this keeps them."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, type] = {}

    def __getitem__(self, name: str) -> type:
        if name not in self._made:
            self._made[name] = super().__getitem__(name)
        return self._made[name]


class LetterPolicy(EmailPolicy):
    """Serialises a letter: CRLF line ends, names as RFC 2047 says, one header a value."""

    linesep = "\r\n"

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"header_factory": _Kinds()} | settings)

    def fold(self, name: str, value: Any) -> str:
        """Return the header's lines as text."""
        if name.lower() in ("from", "to"):
            return f"{name}: {_written_mailbox(value.addresses[0])}\r\n"
        if name.lower() in ("subject", "message-id", "date"):
            return f"{name}: {_written_text(str(value))}\r\n"
        folded: str = super().fold(name, value)
        return folded

    def fold_binary(self, name: str, value: Any) -> bytes:
        """Return the header's lines as octets; outside ASCII only where SMTPUTF8 carries them."""
        return self.fold(name, value).encode("utf-8" if self.utf8 else "ascii")


def _written_mailbox(address: Address) -> str:
    if not address.display_name:
        return address.addr_spec
    phrase, bracketed = _written_phrase(address.display_name), f"<{address.addr_spec}>"
    fits = len(f"From: {phrase} {bracketed}") <= _LINE_LENGTH
    return f"{phrase} {bracketed}" if fits else f"{phrase}\r\n {bracketed}"


def _written_phrase(name: str) -> str:
    if not name.isascii() or len(name) > _LINE_LENGTH - len('From: ""'):
        return _encoded_words(name)
    if _ATOM_WORDS.fullmatch(name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _written_text(text: str) -> str:
    return text if text.isascii() and text.isprintable() else _encoded_words(text)


def _encoded_words(text: str) -> str:
    chunks, chunk = [], b""
    for octets in (one.encode() for one in text):
        if len(chunk) + len(octets) > _ENCODED_WORD_OCTETS:
            chunks.append(chunk)
            chunk = b""
        chunk += octets
    chunks.append(chunk)
    return "\r\n ".join(f"=?utf-8?b?{b64encode(one).decode()}?=" for one in chunks)
