"""How outcomes become responses: the contract's JSON for programs, pages for people.

Which status a fault has, and its first wording, is said in `faults`; what is done, in the flows.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from authreset.hashing import HashingBusy
from authreset.rules.passwords import Weakness
from authreset.store.database import StoreUnavailable
from authreset.web.faults import (
    NOT_ALLOWED,
    NOT_FOUND,
    UNAUTHORIZED,
    UNAVAILABLE,
    Fault,
    bad_request,
    too_many,
)
from authreset.web.reading import TOO_LARGE
from authreset.web.views import ProblemView, View, render

WRONG_CREDENTIALS: Final = replace(
    UNAUTHORIZED,
    explanation="No account that may log in here has this e-mail address and password.",
    todo="Check both, or ask for a password reset.",
)
BUSY: Final = replace(UNAVAILABLE, explanation="Too many passwords wait to be checked just now.")
UNKNOWN_ENTRY: Final = replace(
    NOT_FOUND,
    explanation="This address names no organisation that is known here.",
    todo="Go back to the page where you sign in, and follow the link there.",
)
OTHER_SITE: Final = replace(
    NOT_ALLOWED,
    explanation="The form was sent from another site.",
    todo="Open the page here, and send the form from it.",
)
TRY_AGAIN: Final = replace(
    UNAVAILABLE,
    explanation="This cannot be done just now.",
    todo="Nothing was changed. Try again in a moment.",
)

Handler = Callable[[Request], Awaitable[Response | Fault]]
Endpoint = Callable[[Request], Awaitable[Response]]


def weak_password(weaknesses: Iterable[Weakness]) -> Fault:
    """Return the fault that lists, in plain words, all that is wrong with a password."""
    return bad_request(
        " ".join(weakness.text for weakness in weaknesses),
        "Send a password that avoids all of this.",
    )


def success(fields: Mapping[str, Any] = {}) -> Response:
    """Return the contract's envelope, with further fields."""
    body = msgspec.json.encode({"isSuccess": True, "responseText": "Success", **fields})
    return Response(body, media_type="application/json")


def refusal(request: Request, fault: Fault, body: bytes | None = None) -> Response:
    """Return a fault as JSON; `body` stands in where a call has an error shape of its own."""
    told = request_id(request) if fault.status >= UNAVAILABLE.status else ""
    return Response(
        fault.body(told) if body is None else body,
        fault.status,
        _headers_of(fault),
        "application/json",
    )


def page(view: View, fault: Fault | None = None) -> Response:
    """Return a page; `fault` gives it the status of one."""
    if fault is None:
        return HTMLResponse(render(view))
    return HTMLResponse(render(view), fault.status, _headers_of(fault))


def problem_page(request: Request, fault: Fault) -> Response:
    """Return a fault as a page."""
    explanation = f"{fault.explanation} {fault.todo}"
    view = ProblemView(fault.status, fault.text, explanation, request_id(request))
    return page(view, fault)


def slow_down(
    seconds: float, explanation: str = "Too many requests come from your network."
) -> Fault:
    """Return what a person is told who sends too much."""
    fault = too_many(seconds)
    todo = f"Wait {fault.retry_after} seconds, then try again."
    return replace(fault, explanation=explanation, todo=todo)


def overused(seconds: float) -> Fault:
    """Return what whoever holds a link or a session is told who brings too many passwords."""
    return slow_down(seconds, "Too many passwords were tried here. Nothing was changed.")


def telling(
    handler: Handler,
    tell: Callable[[Request, Fault], Response] = refusal,
    *,
    busy: Fault = BUSY,
    unavailable: Fault = UNAVAILABLE,
) -> Endpoint:
    """Return an endpoint that tells faults in its own shape, a lost database's among them."""

    async def endpoint(request: Request) -> Response:
        try:
            answer = await handler(request)
        except HashingBusy:
            answer = busy
        except StoreUnavailable:
            answer = unavailable
        if not isinstance(answer, Fault):
            return answer
        request.scope["state"]["reason"] = answer.explanation  # for the log
        return tell(request, answer)

    return endpoint


def request_id(request: Request) -> str:
    """Return the id under which an operator finds the request."""
    return str(request.scope["state"]["request_id"])


def _headers_of(fault: Fault) -> dict[str, str]:
    headers = {}
    if fault.retry_after is not None:
        headers["retry-after"] = str(fault.retry_after)
    if fault is TOO_LARGE:
        headers["connection"] = "close"  # the rest of the body stays unread
    return headers
