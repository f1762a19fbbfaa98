"""The hosted pages: ask for a link, open it, set the password. Opening a page changes nothing.

What a page looks like is said in `views`; the mailbox and the reference have modules of their own.
"""

from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from authreset.flows.accept_request import NewRequest, Recorded
from authreset.flows.inspect_reset import LinkOver, LiveReset
from authreset.flows.judge_password import Weak
from authreset.rules.addresses import has_unsafe_characters, is_address
from authreset.store.entities import EntityProfile, find_entity, load_profiles
from authreset.web import documents, mailbox
from authreset.web.answers import (
    OTHER_SITE,
    TRY_AGAIN,
    UNKNOWN_ENTRY,
    Handler,
    overused,
    page,
    problem_page,
    slow_down,
    telling,
)
from authreset.web.completion import make_redeem
from authreset.web.faults import NOT_FOUND, Fault, bad_request
from authreset.web.parts import WebParts
from authreset.web.questions import LONGEST_ENTRY
from authreset.web.reading_forms import is_from_elsewhere, read_form
from authreset.web.views import (
    ForgotSentView,
    ForgotView,
    LinkOverView,
    ResetDoneView,
    ResetView,
)

SOURCE: Final = "page"
NO_BRAND: Final = "Account recovery"

NO_ADDRESS: Final = bad_request("Enter an e-mail address such as name@example.com.")
REFUSED: Final = bad_request("The password was refused.")
NOT_ALIKE: Final = "The two passwords are not the same. Enter the new password twice."


def routes(parts: WebParts) -> list[BaseRoute]:
    """Return the routes of all pages and of what they load."""
    hosted = HostedPages(parts)
    return [
        _form("/forgot", hosted.show_forgot, hosted.ask_for_link),
        _form("/reset/{token}", hosted.open_link, hosted.set_password),
        *documents.routes(parts),
        *mailbox.routes(parts),
    ]


def _form(path: str, show: Handler, submit: Handler) -> Route:
    async def handle(request: Request) -> Response | Fault:
        return await (submit if request.method == "POST" else show)(request)

    told = telling(handle, problem_page, busy=TRY_AGAIN, unavailable=TRY_AGAIN)
    return Route(path, told, methods=["GET", "POST"])


class HostedPages:
    """The handlers of the two forms."""

    def __init__(self, parts: WebParts) -> None:
        self._parts = parts
        self._redeem = make_redeem(parts)

    async def show_forgot(self, request: Request) -> Response | Fault:
        """Show the form that asks for the e-mail address."""
        profile = await self._find_profile(request.query_params.get("entry", ""))
        return UNKNOWN_ENTRY if profile is None else page(_forgot(profile))

    async def ask_for_link(self, request: Request) -> Response | Fault:
        """Record a request; the answer is the same whether the address is known or not."""
        form = await self._admit(request)
        if isinstance(form, Fault):
            return form
        profile = await self._find_profile(form.get("entry", ""))
        if profile is None:
            return UNKNOWN_ENTRY
        email = form.get("email", "").strip()
        if not is_address(email):
            return page(_forgot(profile, email, NO_ADDRESS.explanation), NO_ADDRESS)
        # Before the request is recorded: from then on a worker may be busy with it beside us, and
        # how busy depends on whose address it is.
        path = _forgot_path(profile)
        sent = page(ForgotSentView(profile.brand_name, _accent(profile), email, path))
        accepted = await self._parts.intake.record(self._new_request(request, profile, email))
        return sent if isinstance(accepted, Recorded) else TRY_AGAIN

    async def open_link(self, request: Request) -> Response:
        """Show what a link leads to. Scanners and previews may do so as often as they like."""
        token = request.path_params["token"]
        found = await self._redeem.inspect(token)
        return _over(found) if isinstance(found, LinkOver) else page(_reset(token, found))

    async def set_password(self, request: Request) -> Response | Fault:
        """Set the password, or show the form again with all that is wrong with it."""
        form = await self._admit(request)
        if isinstance(form, Fault):
            return form
        token, password = request.path_params["token"], form.get("password", "")
        if form.get("password_again", password) != password:
            return await self._show_again(token, (NOT_ALIKE,))
        if wait := self._parts.wait_of_holder(token):
            return overused(wait)
        address = self._parts.client_address(request)
        outcome = await self._redeem(token, password, address)
        if isinstance(outcome, Weak):
            return await self._show_again(token, tuple(one.text for one in outcome.weaknesses))
        if isinstance(outcome, LinkOver):
            return _over(outcome)
        profile = outcome.profile
        sign_in_url = profile.settings.sign_in_url
        return page(ResetDoneView(profile.brand_name, _accent(profile), sign_in_url))

    async def _show_again(self, token: str, weaknesses: tuple[str, ...]) -> Response:
        found = await self._redeem.inspect(token)
        if isinstance(found, LinkOver):
            return _over(found)
        return page(_reset(token, found, weaknesses), REFUSED)

    async def _admit(self, request: Request) -> dict[str, str] | Fault:
        if is_from_elsewhere(request, self._parts.public_url):
            return OTHER_SITE
        wait = await self._parts.wait_of_address(self._parts.client_address(request))
        return slow_down(wait) if wait else await read_form(request)

    async def _find_profile(self, entry: str) -> EntityProfile | None:
        if not entry or len(entry) > LONGEST_ENTRY or has_unsafe_characters(entry):
            return None
        async with self._parts.database.read() as tx:
            entity = await find_entity(tx, entry)
            return None if entity is None else (await load_profiles(tx, [entity.id]))[entity.id]

    def _new_request(self, request: Request, profile: EntityProfile, email: str) -> NewRequest:
        return NewRequest(
            id=self._parts.new_id(),
            received_at=self._parts.clock(),
            source=SOURCE,
            token_id=None,
            user_id=None,
            entity_id=profile.ref.id,
            root_id=profile.ref.root_id,
            email=email,
            client_address=self._parts.client_address(request),
        )


def _forgot(profile: EntityProfile, email: str = "", error: str | None = None) -> ForgotView:
    return ForgotView(profile.brand_name, _accent(profile), profile.ref.entry, email, error)


def _forgot_path(profile: EntityProfile) -> str:
    return f"/forgot?entry={quote(profile.ref.entry, safe='')}"


def _reset(token: str, found: LiveReset, weaknesses: tuple[str, ...] = ()) -> ResetView:
    return ResetView(
        brand_name=found.profile.brand_name,
        accent=_accent(found.profile),
        action_path=f"/reset/{token}",
        account_address=found.account_address,
        minimum_length=found.policy.minimum_length,
        weaknesses=weaknesses,
    )


def _over(link: LinkOver) -> Response:
    """Answer alike for every cause; where the link was once ours, with the way to a new one."""
    if link.profile is None:
        return page(LinkOverView(NO_BRAND, None), NOT_FOUND)
    view = LinkOverView(link.profile.brand_name, _accent(link.profile), _forgot_path(link.profile))
    return page(view, NOT_FOUND)


def _accent(profile: EntityProfile) -> str | None:
    accent = profile.settings.accent
    return accent and accent.lower()
