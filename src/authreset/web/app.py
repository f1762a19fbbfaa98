"""The application: the hot call in front, then the API, the pages and what operators watch."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from uuid import UUID

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from authreset.store.database import StoreUnavailable
from authreset.web import api, health, oauth, pages
from authreset.web.faults import (
    NOT_ALLOWED_METHOD,
    NOT_FOUND,
    UNAVAILABLE,
    Fault,
    bad_request,
)
from authreset.web.intake import PATH as INTAKE_PATH
from authreset.web.intake import IntakeCalls
from authreset.web.journal import NO_ROUTE, Journal
from authreset.web.parts import WebParts
from authreset.web.paths import canonical_path
from authreset.web.reading import read_body
from authreset.web.views import ProblemView, render

SECURITY_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

CORS_HEADERS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST, PUT",
    "access-control-allow-headers": "requestToken, Authorization, Content-Type",
    "access-control-max-age": "7200",
}
CORS_PATHS = {"/api/user/authreset", "/api/user/authpsw"}


def build_app(parts: WebParts, journal: Journal, intake: IntakeCalls) -> ASGIApp:
    """Return the whole application."""
    behind = Starlette(
        routes=[
            *api.routes(parts),
            *oauth.routes(parts),
            *pages.routes(parts),
            *health.routes(parts),
        ],
        exception_handlers={
            HTTPException: _tell,
            StoreUnavailable: _tell,
            Exception: _failed(journal),
        },
    )
    behind.router.redirect_slashes = False  # it would build an address from the Host header
    return IntakeFront(intake, Frame(parts.new_id, journal, behind))


class IntakeFront:
    """Serves the hot call before routing and middleware, from any ASGI server."""

    def __init__(self, calls: IntakeCalls, behind: ASGIApp) -> None:
        self._calls = calls
        self._behind = behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the call, or hand on everything else."""
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        if not is_post or canonical_path(scope["path"]) != INTAKE_PATH:
            await self._behind(scope, receive, send)
            return
        peer = scope["client"][0] if scope["client"] else ""
        answer = await self._calls.serve(scope["headers"], await read_body(receive), peer)
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        )
        await send({"type": "http.response.body", "body": answer.body})


class Frame:
    """Around everything but the hot call: request id, headers, CORS, and the log."""

    def __init__(self, new_id: Callable[[], UUID], journal: Journal, behind: ASGIApp) -> None:
        self._new_id = new_id
        self._journal = journal
        self._behind = behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._behind(scope, receive, send)
            return
        id = str(self._new_id())
        path = canonical_path(scope["path"])
        scope = {**scope, "path": path, "raw_path": path.encode(), "state": {"request_id": id}}

        async def send_framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(MutableHeaders(scope=message), scope, id)
                self._note(scope, id, message["status"])
            await send(message)

        if scope["method"] == "OPTIONS" and path in CORS_PATHS:
            await Response(status_code=204)(scope, receive, send_framed)
            return
        # Starlette answers a fault through `_failed` and raises it as well, to be logged twice.
        with suppress(Exception):
            await self._behind(scope, receive, send_framed)

    def _note(self, scope: Scope, id: str, status: int) -> None:
        if status >= 400:
            self._journal.refused(id, route_name(scope), status, scope["state"].get("reason", ""))


def answer(request: Request, fault: Fault, headers: Mapping[str, str] = {}) -> Response:
    """Return a fault as JSON, or as a page to a person who reads one."""
    id = request.scope["state"]["request_id"]
    extra = dict(headers)
    if fault.retry_after is not None:
        extra["retry-after"] = str(fault.retry_after)
    if _wants_page(request):
        told = f"{fault.explanation} {fault.todo}"
        page = render(ProblemView(fault.status, fault.text, told, id))
        return HTMLResponse(page, fault.status, extra)
    body = fault.body(id if fault.status >= 500 else "")
    return Response(body, fault.status, extra, "application/json")


def route_name(scope: Scope) -> str:
    """Return the pattern that a path matched. The path itself may hold the secret of a link."""
    route = scope.get("route")
    return route.path if isinstance(route, Route) else NO_ROUTE


def _wants_page(request: Request) -> bool:
    path = request.scope["path"]
    return not path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


async def _tell(request: Request, error: Exception) -> Response:
    fault, headers = _fault_of(error)
    request.scope["state"]["reason"] = fault.explanation
    return answer(request, fault, headers)


def _failed(journal: Journal) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, error: Exception) -> Response:
        return answer(request, journal.failed(request.scope["state"]["request_id"], error))

    return handle


def _fault_of(error: Exception) -> tuple[Fault, Mapping[str, str]]:
    if isinstance(error, StoreUnavailable):
        return UNAVAILABLE, {}
    if not isinstance(error, HTTPException):
        raise error
    headers = error.headers or {}
    if error.status_code == 404:
        return NOT_FOUND, headers
    if error.status_code == 405:
        return NOT_ALLOWED_METHOD, headers
    return bad_request("The request cannot be read."), headers


def _add_headers(headers: MutableHeaders, scope: Scope, id: str) -> None:
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    headers["x-request-id"] = id
    if scope["path"] in CORS_PATHS:
        for name, value in CORS_HEADERS.items():
            headers[name] = value
