"""The letters of the local mailbox, and the way from one of them to a new password.

The link is read out of the letter as a person reads it; nothing here knows how one is made.
"""

import re
import time
from dataclasses import dataclass
from typing import Any

import httpx
from clients.harness.server import Target


@dataclass(frozen=True, slots=True)
class NewPassword:
    """How far the way from a letter to a login went; `ok` when it went to its end."""

    ok: bool
    step: str
    status: int


def await_letters(root: str, recipient: str, seconds: float) -> list[dict[str, Any]]:
    """The letters to `recipient`, as soon as there is one; empty when none came in time."""
    deadline = time.monotonic() + seconds
    while True:
        letters = _letters(root, recipient)
        if letters or time.monotonic() > deadline:
            return letters
        time.sleep(0.2)


def set_password(
    target: Target, address: str, letter: dict[str, Any], password: str
) -> NewPassword:
    """Follow the link of `letter`, set `password` on its page, and log in with it."""
    found = re.search(rf"{re.escape(target.root or '')}/\S+", letter["text"])
    if not found:
        return NewPassword(False, "no link in the letter", 0)
    with httpx.Client(timeout=20, headers={"Origin": target.root or ""}) as browser:
        page = browser.get(found[0])
        if page.status_code != 200 or "<form" not in page.text:
            return NewPassword(False, "the page of the link", page.status_code)
        done = browser.post(found[0], data={"password": password}, follow_redirects=True)
        if done.status_code != 200:
            return NewPassword(False, "the new password", done.status_code)
    return _log_in(target, address, password)


def _log_in(target: Target, address: str, password: str) -> NewPassword:
    answer = httpx.post(
        f"{target.base_url}/User/auth/local",
        headers={"requestToken": target.application_token},
        json={
            "email": address,
            "psw": password,
            "entry": target.entry,
            "entryType": int(target.entry_type),
        },
        timeout=20,
    )
    ok = answer.status_code == 200 and answer.json().get("isSuccess") is True
    return NewPassword(ok, "login with the new password", answer.status_code)


def _letters(root: str, recipient: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{root}/mailbox.json", timeout=10)
    answer.raise_for_status()
    return [letter for letter in answer.json()["letters"] if letter["recipient"] == recipient]
