"""The hosted pages as values: one frozen view a page, and `render` makes HTML of it.

Never here: routes, status codes, headers, look-ups. A view holds all that its page shows, and
the fields that hold a token or an address stay out of its repr.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final

from authreset.web.assets import (
    ASSETS,
    Asset,
    accent_stylesheet,
    accent_url,
    asset_url,
    find_asset,
)
from authreset.web.templates import make_environment
from authreset.web.templates.reference import Reference, read_reference

__all__ = [
    "ASSETS",
    "Asset",
    "DocsView",
    "ForgotSentView",
    "ForgotView",
    "LinkOverView",
    "MailboxLetter",
    "MailboxView",
    "ProblemView",
    "ResetDoneView",
    "ResetView",
    "View",
    "accent_stylesheet",
    "accent_url",
    "asset_url",
    "find_asset",
    "render",
]

LOCAL_URL: Final = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class ForgotView:
    """Asks for the e-mail address; posts `email` and `entry` to /forgot."""

    template: ClassVar[str] = "forgot.html"
    brand_name: str
    accent: str | None
    entry: str
    email: str = field(default="", repr=False)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ForgotSentView:
    """Says that a mail is on its way if the address is known; nothing tells whether it is.

    `forgot_path` leads back to the form, to ask again.
    """

    template: ClassVar[str] = "forgot_sent.html"
    brand_name: str
    accent: str | None
    email: str | None = field(default=None, repr=False)
    forgot_path: str | None = None


@dataclass(frozen=True, slots=True)
class ResetView:
    """Asks for the new password; posts `password` (without scripts `password_again` too).

    `weaknesses` are the reasons why the last one was refused, each a sentence.
    """

    template: ClassVar[str] = "reset.html"
    # A field that cuts a pasted password off locks its owner out, so this is generous.
    maximum_length: ClassVar[int] = 1024
    brand_name: str
    accent: str | None
    action_path: str = field(repr=False)
    account_address: str = field(repr=False)
    minimum_length: int
    weaknesses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResetDoneView:
    """Says that the password is set and every device is signed out."""

    template: ClassVar[str] = "reset_done.html"
    brand_name: str
    accent: str | None
    sign_in_url: str | None = None

    @property
    def sign_in_link(self) -> str | None:
        """The address to sign in at; None when it is not one of the web (http, https, a path)."""
        url = self.sign_in_url
        return url if url and url.startswith(("https://", "http://", "/")) else None


@dataclass(frozen=True, slots=True)
class LinkOverView:
    """One and the same page for a used, an expired and an unknown link."""

    template: ClassVar[str] = "link_over.html"
    brand_name: str
    accent: str | None
    forgot_path: str | None = None


@dataclass(frozen=True, slots=True)
class ProblemView:
    """An HTTP error on a page, with the request id that an operator can trace."""

    template: ClassVar[str] = "problem.html"
    brand_name: ClassVar[str] = "Account recovery"
    accent: ClassVar[None] = None
    status: int
    title: str
    explanation: str
    request_id: str


@dataclass(frozen=True, slots=True)
class MailboxLetter:
    """One letter of the development mailbox; `at` is aware of its zone."""

    id: str
    at: datetime
    recipient: str = field(repr=False)
    subject: str
    state: str
    text: str = field(repr=False)
    html_url: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class MailboxView:
    """The letters of the development mailbox, in the order given (newest first).

    `base_url` is where this server listens, for the first command that a developer types.
    """

    template: ClassVar[str] = "mailbox.html"
    brand_name: ClassVar[str] = "authreset"
    accent: ClassVar[None] = None
    letters: tuple[MailboxLetter, ...]
    base_url: str = LOCAL_URL


@dataclass(frozen=True, slots=True)
class DocsView:
    """The API reference, read out of a parsed OpenAPI 3.1 document.

    `base_url` completes the document's server when that is a path alone.
    """

    template: ClassVar[str] = "docs.html"
    brand_name: ClassVar[str] = "authreset"
    accent: ClassVar[None] = None
    openapi_url: str
    document: Mapping[str, Any] = field(repr=False)
    base_url: str = LOCAL_URL

    @property
    def reference(self) -> Reference:
        """The document in the order and the words of the page."""
        return read_reference(self.document, self.base_url)


View = (
    ForgotView
    | ForgotSentView
    | ResetView
    | ResetDoneView
    | LinkOverView
    | ProblemView
    | MailboxView
    | DocsView
)
_ENVIRONMENT: Final = make_environment()


def render(view: View) -> str:
    """Return the whole HTML document of a page; the same view always gives the same text."""
    return _ENVIRONMENT.get_template(view.template).render(view=view)
