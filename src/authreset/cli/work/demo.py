"""The demo: fills the tenant tree and prints what to do with it."""

import json
import shlex
from typing import Any
from urllib.parse import quote

from rich.console import Console

from authreset.cli.answers import Answer, Outcome
from authreset.cli.opening import Opened
from authreset.cli.urls import is_loopback, url_of
from authreset.flows.fill_demo import Demo, fill_demo
from authreset.hashing import PasswordHasher
from authreset.rules.lockout import UserStatus

_EXPECTED = {
    UserStatus.ACTIVE: "gets the link",
    UserStatus.LOCKED: "gets the link; a new password ends the lock",
    UserStatus.INACTIVE: "gets no mail",
    UserStatus.DELETED: "gets no mail",
}


async def demo(opened: Opened, host: str, port: int) -> Outcome:
    """Fill the demo and tell how to use it."""
    hasher = PasswordHasher()
    try:
        filled = await fill_demo(
            opened.database,
            opened.keyring,
            make_hash=lambda: hasher.hash(opened.random_bytes(32).hex()),
            actor=opened.actor,
            now=opened.clock(),
        )
    finally:
        hasher.close()
    data = _describe(filled, url_of(host, port), opened)
    return Answer(data, show=lambda console: _print(console, data))


def _describe(demo: Demo, base: str, opened: Opened) -> dict[str, Any]:
    settings = opened.settings
    shown = not settings.smtp_url and is_loopback(settings.public_url or base)
    email = demo.users[0].email
    return {
        "base_url": base,
        "api_url": f"{base}/api",
        "entry": demo.entry,
        "entry_type": int(demo.entry_type),
        "email": email,
        "users": [
            {
                "email": user.email,
                "name": user.name,
                "entry": user.entry,
                "status": int(user.status),
                "status_name": user.status.name.lower(),
                "expected": _EXPECTED[user.status],
            }
            for user in demo.users
        ],
        "organization_token": demo.organization_token,
        "application_token": demo.application_token,
        "curl": _curl(base, demo, email),
        "mailbox_url": f"{base}/mailbox" if shown else None,
        "forgot_url": f"{base}/forgot?entry={quote(demo.entry, safe='')}",
        "docs_url": f"{base}/docs",
    }


def _curl(base: str, demo: Demo, email: str) -> str:
    body = json.dumps({"email": email, "entry": demo.entry, "entryType": int(demo.entry_type)})
    return shlex.join(
        [
            "curl",
            "-sS",
            "-X",
            "POST",
            f"{base}/api/User/authreset",
            "-H",
            f"requestToken: {demo.organization_token}",
            "-H",
            "Content-Type: application/json",
            "-d",
            body,
        ]
    )


def _print(console: Console, data: dict[str, Any]) -> None:
    console.print(f"The demo is ready: organization {data['entry']} and what is below it.\n")
    for user in data["users"]:
        console.print(f"  {user['email']:<22}{user['status_name']:<10}{user['expected']}")
    console.print("\nIts API tokens, the same at each start of the demo:")
    console.print(f"  organization  {data['organization_token']}")
    console.print(f"  application   {data['application_token']}")
    console.print("\n1. Serve it, unless `make run` does so now:\n", style="bold")
    console.print(f"  {_serve(data)}")
    console.print("\n2. Ask for a reset:\n", style="bold")
    console.print(f"  {data['curl']}")
    console.print("\n3. Read the mail and follow its link:\n", style="bold")
    console.print(f"  {data['mailbox_url'] or 'at the mailbox of that address; see below'}")
    console.print(f"\nThe page that asks for a reset: {data['forgot_url']}")
    console.print(f"The API's reference:            {data['docs_url']}")
    if data["mailbox_url"] is None:
        console.print(
            "\nThe page /mailbox is shown only while AUTHRESET_SMTP_URL is not set and the public"
            " URL is on this machine: letters to the demo's users go nowhere.",
            style="yellow",
        )


def _serve(data: dict[str, Any]) -> str:
    host, _, port = data["base_url"].removeprefix("http://").rpartition(":")
    host = host.strip("[]")
    words = ["authreset", "serve"]
    words += ["--host", host] if host != "127.0.0.1" else []
    return shlex.join(words + (["--port", port] if port != "8080" else []))
