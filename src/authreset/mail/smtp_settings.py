"""Which mail server to use and how, read from one URL. No connection is made here."""

import math
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

DEFAULT_TIMEOUT = 60.0
DEFAULT_POOL = 4

_LONGEST_TIMEOUT = 600.0  # RFC 5321 section 4.5.3.2.6: no step is given more than ten minutes
_LARGEST_POOL = 100
_OPTIONS = ("starttls", "timeout", "pool", "ca_file", "helo")
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_HELO = re.compile(r"[A-Za-z0-9.-]+|\[[A-Za-z0-9.:]+\]")


class SmtpUrlError(ValueError):
    """The URL of the mail server cannot be used. The text quotes no part that may be secret."""


class Encryption(StrEnum):
    """When the connection is encrypted. Where it is, the certificate is always verified."""

    IMPLICIT = "implicit"  # from the first octet, as RFC 8314 recommends
    REQUIRED = "required"  # STARTTLS, or nothing is sent
    AUTO = "auto"  # STARTTLS where the server offers it, else plain
    OFF = "off"


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """One mail server. Neither user name nor password shows in `repr`.

    `timeout` is the longest wait in seconds for any one step, `pool` the most connections at a
    time, `ca_file` a file of certificates to trust in place of the system's. Raises SmtpUrlError
    for credentials together with opportunistic encryption: whoever sits on the line could then
    strip STARTTLS and read the password.
    """

    host: str
    port: int
    encryption: Encryption
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    timeout: float = DEFAULT_TIMEOUT
    pool: int = DEFAULT_POOL
    ca_file: str | None = None
    helo: str | None = None

    def __post_init__(self) -> None:
        if self.username is not None and self.encryption is Encryption.AUTO:
            raise SmtpUrlError(
                "starttls=auto may send the password unencrypted; say starttls=required, "
                "or starttls=off if the network is trusted"
            )

    @property
    def longest_send(self) -> float:
        """Seconds within which a mail is taken, deferred or refused, whatever the server does."""
        return 4 * self.timeout

    @property
    def helo_name(self) -> str:
        """The name for EHLO: the one set, else this host's if it is qualified, else a literal.

        The host's name is not looked up in DNS, which may take longer than any time-out.
        """
        name = self.helo or socket.gethostname()
        return name if self.helo or ("." in name and _HELO.fullmatch(name)) else "[127.0.0.1]"


def parse_smtp_url(url: str) -> SmtpSettings:
    """Read `smtp://user:pass@host:port?starttls=required|off|auto` or `smtps://user:pass@host`.

    Options: `starttls`, `timeout` (seconds), `pool`, `ca_file`, `helo`. Without `starttls`, it is
    required if there are credentials and automatic if there are none. Default ports: 465 for
    smtps, 587 where STARTTLS is required, else 25. User name and password are percent-decoded.
    Raises SmtpUrlError, which never quotes the credentials.
    """
    parts = _split(url)
    options = _options(parts.query)
    username, password = _credentials(parts)
    encryption = _encryption(parts.scheme, options.get("starttls"), username is not None)
    return SmtpSettings(
        host=_host(parts),
        port=_port(parts) or _default_port(encryption),
        encryption=encryption,
        username=username,
        password=password,
        timeout=_timeout(options),
        pool=_pool(options),
        ca_file=options.get("ca_file"),
        helo=_helo(options),
    )


def _split(url: str) -> SplitResult:
    if not url.isprintable() or " " in url:
        raise SmtpUrlError("a URL has no spaces or control characters; percent-encode them")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise SmtpUrlError("not a URL; percent-encode special characters") from None
    if parts.scheme not in ("smtp", "smtps"):
        raise SmtpUrlError("expected smtp:// or smtps://")
    if parts.path not in ("", "/") or parts.fragment:
        raise SmtpUrlError(
            "nothing may follow the port but ?options; "
            "percent-encode / # and ? in the user name and the password"
        )
    return parts


def _host(parts: SplitResult) -> str:
    try:
        host = (parts.hostname or "").encode("idna").decode()
    except UnicodeError:
        host = ""
    if not _HOST.fullmatch(host):
        raise SmtpUrlError("expected a host name or an IP address after //")
    return host


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise SmtpUrlError("expected a port from 1 to 65535; percent-encode : / and @ elsewhere")
    return port


def _default_port(encryption: Encryption) -> int:
    return {Encryption.IMPLICIT: 465, Encryption.REQUIRED: 587}.get(encryption, 25)


def _credentials(parts: SplitResult) -> tuple[str | None, str | None]:
    if "@" not in parts.netloc:
        return None, None
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not username or not password:
        raise SmtpUrlError("expected both a user name and a password before @")
    return username, password


def _options(query: str) -> Mapping[str, str]:
    # A plus sign is no space here: it may stand in a file's name.
    pairs = parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)
    options = dict(pairs)
    if len(options) != len(pairs):
        raise SmtpUrlError("an option is given twice")
    if not options.keys() <= set(_OPTIONS):
        raise SmtpUrlError(f"unknown option; known: {', '.join(_OPTIONS)}")
    if not all(options.values()):
        raise SmtpUrlError("an option is empty")
    return options


def _encryption(scheme: str, starttls: str | None, credentials: bool) -> Encryption:
    if scheme == "smtps":
        if starttls is not None:
            raise SmtpUrlError("smtps:// is encrypted from the start; leave starttls out")
        return Encryption.IMPLICIT
    if starttls is None:
        return Encryption.REQUIRED if credentials else Encryption.AUTO
    if starttls not in ("required", "auto", "off"):
        raise SmtpUrlError("expected starttls=required, starttls=auto or starttls=off")
    return Encryption(starttls)


def _timeout(options: Mapping[str, str]) -> float:
    try:
        timeout = float(options.get("timeout", DEFAULT_TIMEOUT))
    except ValueError:
        timeout = math.nan
    if not 0 < timeout <= _LONGEST_TIMEOUT:
        raise SmtpUrlError(f"expected timeout in seconds, up to {_LONGEST_TIMEOUT:g}")
    return timeout


def _pool(options: Mapping[str, str]) -> int:
    text = options.get("pool", str(DEFAULT_POOL))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _LARGEST_POOL:
        raise SmtpUrlError(f"expected pool from 1 to {_LARGEST_POOL} connections")
    return int(text)


def _helo(options: Mapping[str, str]) -> str | None:
    helo = options.get("helo")
    if helo is not None and not _HELO.fullmatch(helo):
        raise SmtpUrlError("expected helo to be a host name or an address literal")
    return helo
