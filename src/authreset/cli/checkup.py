"""Judges what lies outside the database: settings, keys, addresses, the mail server.

Only judgement, in the terms of `flows.examine`: the facts are gathered in `work.doctor`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final
from urllib.parse import urlsplit

from authreset.flows.examine import Finding, Findings, Verdict
from authreset.rules.addresses import is_address

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
OK, WARN, FAIL = Verdict.OK, Verdict.WARN, Verdict.FAIL


def examine_settings(errors: Mapping[str, str], unknown: Mapping[str, str | None]) -> Findings:
    """Judge faults by setting, and unknown variables with the one that was probably meant."""
    for name, error in errors.items():
        yield Finding(
            "settings",
            FAIL,
            f"{name}: {error}",
            f"correct {name}; most other checks come after that",
        )
    for name, meant in unknown.items():
        todo = f"did you mean {meant}?" if meant else "`authreset settings` lists all settings"
        yield Finding("settings", WARN, f"{name} is no setting, so it does nothing", todo)
    if not errors and not unknown:
        yield Finding("settings", OK, "all can be read")


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """The keys as they are written, and the file they stand in, if any, with its mode."""

    texts: tuple[str, ...] = field(repr=False)
    materials: tuple[bytes, ...] = field(repr=False)
    place: str
    mode: int | None = None


_EXAMPLE_WORDS: Final = ("example", "changeme", "change-me", "change_me", "secret", "password")
_LEAST_DISTINCT = 16  # of 32 random bytes, fewer differ in one of 10**13 keys


def examine_keys(facts: KeyFacts | None, error: str | None = None) -> Findings:
    """Judge the secret keys; no facts and no error means that there is no key yet."""
    if error is not None:
        yield Finding("keys", FAIL, error, "`authreset keys new` makes one")
    elif facts is None:
        yield Finding("keys", WARN, "there is none yet", "nothing: the first start makes one")
    else:
        yield from _judge_keys(facts)


def _judge_keys(facts: KeyFacts) -> Findings:
    weak = [_is_guessable(*pair) for pair in zip(facts.texts, facts.materials, strict=True)]
    if any(weak):
        yield Finding(
            "keys",
            FAIL,
            f"key {weak.index(True) + 1} looks like an example, no secret",
            "make one with `authreset keys new` and put it first",
        )
    if facts.mode is not None and facts.mode & 0o077:
        yield Finding(
            "keys",
            FAIL,
            f"others may read {facts.place} (mode {facts.mode:04o})",
            f"chmod 600 {facts.place}; if others had access, add a new key before it",
        )
    if not any(weak) and not (facts.mode or 0) & 0o077:
        older = len(facts.texts) - 1
        more = f", and {older} older" if older else ""
        yield Finding("keys", OK, f"one that makes new tokens{more}, from {facts.place}")


def _is_guessable(text: str, material: bytes) -> bool:
    steps = {(after - before) % 256 for before, after in pairwise(material)}
    is_patterned = len(set(material)) < min(_LEAST_DISTINCT, len(material)) or len(steps) == 1
    return is_patterned or material.isascii() or any(w in text.lower() for w in _EXAMPLE_WORDS)


def examine_public_url(url: str, *, sends_mail: bool, answer: str | None) -> Findings:
    """Judge the public URL; `answer` is what /healthz under it said: "ours", or a description."""
    if not url:
        yield _unset_url(sends_mail)
        return
    parts = urlsplit(url)
    if parts.hostname in LOOPBACK and sends_mail:
        yield Finding(
            "public_url",
            FAIL,
            f"{url} leads every reader to their own machine",
            "set AUTHRESET_PUBLIC_URL to the address that people reach",
        )
    elif parts.scheme != "https" and parts.hostname not in LOOPBACK:
        yield Finding(
            "public_url",
            WARN,
            f"{url} is not encrypted, so links can be read on the way",
            "serve it over https",
        )
    if answer == "ours":
        yield Finding("public_url", OK, f"{url} answers as this service")
    else:
        yield Finding(
            "public_url",
            WARN,
            f"{url}/healthz: {answer}",
            "start the service, or mend the proxy, unless it is out of reach from here",
        )


def _unset_url(sends_mail: bool) -> Finding:
    if sends_mail:
        return Finding(
            "public_url",
            FAIL,
            "not set, while letters are sent: their links lead to each reader's own machine",
            "set AUTHRESET_PUBLIC_URL",
        )
    return Finding(
        "public_url",
        WARN,
        "not set: links lead to this machine alone",
        "set AUTHRESET_PUBLIC_URL before anyone else is to use it",
    )


def examine_proxies(url: str, *, has_trusted: bool) -> Findings:
    """Judge whose word about a client's address is believed. TLS needs a proxy before us."""
    if urlsplit(url).scheme == "https" and not has_trusted:
        yield Finding(
            "trusted_proxies",
            WARN,
            "the public URL is https, so a proxy stands before this service, and none is trusted:"
            " all clients seem to be the proxy and share one limit",
            "set AUTHRESET_TRUSTED_PROXIES to the proxy's networks",
        )


def examine_mail_from(address: str, *, sends_mail: bool) -> Findings:
    """Judge the sender's address."""
    domain = address.rpartition("@")[2].lower()
    is_placeholder = domain.endswith(("localhost", ".localdomain")) or _is_example(domain)
    if not is_address(address):
        yield Finding(
            "mail_from",
            FAIL,
            "there is no usable address in it",
            "set AUTHRESET_MAIL_FROM, such as 'Pilgrim <no-reply@pilgrim.example>'",
        )
    elif is_placeholder:
        yield Finding(
            "mail_from",
            FAIL if sends_mail else WARN,
            f"the domain {domain} is a placeholder; mail servers refuse it",
            "set AUTHRESET_MAIL_FROM to an address of a domain of yours",
        )
    else:
        yield Finding("mail_from", OK, f"an address at {domain}")


def _is_example(domain: str) -> bool:
    """Tell whether RFC 2606 keeps a domain for examples."""
    return domain in ("example.com", "example.net", "example.org") or domain.endswith(".example")


@dataclass(frozen=True, slots=True)
class SmtpFacts:
    """How a try of the mail server went. `fault` is None when it let us in."""

    server: str
    fault: str | None = None
    tls: str | None = None
    is_logged_in: bool = False
    seconds: float = 0.0


def examine_smtp(facts: SmtpFacts | None) -> Findings:
    """Judge the mail server; None means that there is none set."""
    if facts is None:
        yield Finding(
            "smtp",
            WARN,
            "NO MAIL IS SENT: no mail server is set, letters go to the local mailbox",
            "set AUTHRESET_SMTP_URL",
        )
    elif facts.fault is not None:
        yield Finding(
            "smtp",
            FAIL,
            f"{facts.server}: {facts.fault}",
            "correct AUTHRESET_SMTP_URL, or mend the server; letters wait meanwhile",
        )
    else:
        login = "logged in" if facts.is_logged_in else "without login"
        seen = f"{facts.server}: {facts.tls or 'not encrypted'}, {login}, {facts.seconds:.2f} s"
        is_open = facts.tls is None and facts.server.rpartition(":")[0] not in LOOPBACK
        yield Finding(
            "smtp",
            WARN if is_open else OK,
            seen,
            "use starttls=required or smtps://" if is_open else "",
        )
