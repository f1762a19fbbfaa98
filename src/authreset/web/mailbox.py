"""The development mailbox: letters on a page, for whoever sits at this machine and nobody else."""

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Final
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from authreset.flows.compose_letter import Composition
from authreset.flows.show_letters import ShowLetters, ShownLetter
from authreset.web.answers import page
from authreset.web.faults import NOT_FOUND
from authreset.web.parts import WebParts
from authreset.web.receiving import is_forwarded
from authreset.web.views import MailboxLetter, MailboxView

LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
# A letter brings its style along and loads nothing.
LETTER_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

Handler = Callable[[Request], Awaitable[Response]]


def routes(parts: WebParts) -> list[BaseRoute]:
    """Return the routes; each exists for a caller at this machine only."""
    composition = Composition(parts.keyring, parts.public_url, parts.settings.mail_from)
    box = Mailbox(ShowLetters(database=parts.database, composition=composition), parts.public_url)

    def guarded(handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            if not (parts.mailbox_shown and is_local(request)):
                raise HTTPException(NOT_FOUND.status)
            return await handler(request)

        return handle

    return [
        Route("/mailbox", guarded(box.show)),
        Route("/mailbox.json", guarded(box.list)),
        Route("/mailbox/{letter_id:uuid}.html", guarded(box.show_html)),
    ]


def is_local(request: Request) -> bool:
    """Tell whether the caller is at this machine, not behind a proxy or lured by a name.

    The Host is checked as well: a site may let its own name resolve to 127.0.0.1.
    """
    if request.client is None or not _is_loopback(request.client.host):
        return False
    if is_forwarded(request):
        return False
    host = request.headers.get("host", "").lower()
    name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    return (name if colon and port.isdecimal() else host) in LOCAL_NAMES


def _is_loopback(address: str) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback


class Mailbox:
    """The handlers."""

    def __init__(self, letters: ShowLetters, public_url: str) -> None:
        self._letters = letters
        self._public_url = public_url

    async def show(self, _request: Request) -> Response:
        """Show the newest letters."""
        letters = tuple(_on_page(one) for one in await self._letters())
        return page(MailboxView(letters, self._public_url))

    async def list(self, _request: Request) -> Response:
        """Send the newest letters to a program."""
        return JSONResponse({"letters": [_as_json(one) for one in await self._letters()]})

    async def show_html(self, request: Request) -> Response:
        """Show the HTML part of one letter."""
        letter = await self._letters.find(request.path_params["letter_id"])
        if letter is None or letter.html is None:
            raise HTTPException(NOT_FOUND.status)
        return HTMLResponse(letter.html, headers={"content-security-policy": LETTER_POLICY})


def _html_url(letter_id: UUID) -> str:
    return f"/mailbox/{letter_id}.html"


def _on_page(letter: ShownLetter) -> MailboxLetter:
    return MailboxLetter(
        id=str(letter.id),
        at=letter.at,
        recipient=letter.recipient,
        subject=letter.subject,
        state=letter.state,
        text=letter.text,
        html_url=None if letter.html is None else _html_url(letter.id),
    )


def _as_json(letter: ShownLetter) -> dict[str, str | None]:
    return {
        "id": str(letter.id),
        "at": letter.at.isoformat(),
        "recipient": letter.recipient,
        "template": letter.template.value,
        "subject": letter.subject,
        "state": letter.state,
        "text": letter.text,
        "htmlUrl": None if letter.html is None else _html_url(letter.id),
    }
