"""The requests of each series as bytes: the call, the page's form, the log-in. Sends none."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from silence.classes import Kind, address

Question = Callable[[Kind, int], bytes]
"""Makes the whole request for the address of that class and number."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What every request carries: the entry, and the tokens of the demonstration."""

    entry: str
    organization_token: str = field(repr=False)
    application_token: str = field(repr=False)

    def reset(self, kind: Kind, number: int) -> bytes:
        """Return the call that asks for a reset."""
        asked = {"email": address(kind, number), "entry": self.entry, "entryType": 0}
        return _json("/api/User/authreset", self.organization_token, asked)

    def forgot(self, kind: Kind, number: int) -> bytes:
        """Return the form of the page that asks for a reset."""
        body = urlencode({"entry": self.entry, "email": address(kind, number)}).encode()
        return _post("/forgot", "application/x-www-form-urlencoded", "", body)

    def log_in(self, kind: Kind, number: int) -> bytes:
        """Return a log-in with a password that no user has."""
        whom = {"email": address(kind, number), "psw": "not this one, surely"}
        asked = {**whom, "entry": self.entry, "entryType": 0}
        return _json("/api/User/auth/local", self.application_token, asked)


def _json(path: str, token: str, asked: Mapping[str, object]) -> bytes:
    body = json.dumps(asked, ensure_ascii=False).encode()
    return _post(path, "application/json", f"requestToken: {token}\r\n", body)


def _post(path: str, media_type: str, more: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {media_type}\r\n{more}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
