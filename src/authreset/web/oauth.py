"""`POST /api/v2/Token/serverside`: a client's id and secret against a short-lived access token.

Its errors have a shape of their own, which the SDKs expect here and nowhere else.
"""

from dataclasses import replace
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from authreset.flows.issue_access_token import (
    AccessToken,
    InvalidCredentials,
    InvalidPermissions,
    IssueAccessToken,
)
from authreset.rules.addresses import has_unsafe_characters
from authreset.web.answers import refusal, telling
from authreset.web.faults import Fault, bad_request, too_many
from authreset.web.parts import WebParts
from authreset.web.reading import Question
from authreset.web.receiving import read_question

LONGEST_STATE: Final = 512

NO_CREDENTIALS: Final = bad_request("clientId and clientSecret are both needed.", "Send both.")
LONG_STATE: Final = bad_request(
    f"state is longer than {LONGEST_STATE} characters or holds some that cannot be shown."
)
WRONG_CREDENTIALS: Final = replace(
    bad_request("The client id or the client secret is wrong."), text="Invalid credentials"
)
WRONG_PERMISSIONS: Final = replace(
    bad_request("The client does not hold all of these permissions."), text="Invalid permissions"
)


class TokenQuestion(Question):
    """The body. Other fields are ignored."""

    clientId: str | None = None  # noqa: N815 -- the name on the wire
    clientSecret: str | None = None  # noqa: N815 -- the name on the wire
    state: str | None = None
    permissions: list[str] | None = None


_QUESTIONS: Final = msgspec.json.Decoder(TokenQuestion)


def routes(parts: WebParts) -> list[BaseRoute]:
    """Return the one route."""
    issue = IssueAccessToken(
        database=parts.database,
        keyring=parts.keyring,
        clock=parts.clock,
        random_bytes=parts.random_bytes,
    )

    async def serve(request: Request) -> Response | Fault:
        if wait := await parts.wait_of_address(parts.client_address(request)):
            return too_many(wait)
        question = await read_question(request, _QUESTIONS)
        return question if isinstance(question, Fault) else await _issue(issue, question)

    return [Route("/api/v2/token/serverside", telling(serve, _tell), methods=["POST"])]


async def _issue(issue: IssueAccessToken, question: TokenQuestion) -> Response | Fault:
    client_id, secret, state = question.clientId, question.clientSecret, question.state
    if not client_id or not secret:
        return NO_CREDENTIALS
    if state is not None and (len(state) > LONGEST_STATE or has_unsafe_characters(state)):
        return LONG_STATE
    if has_unsafe_characters(client_id):  # among them NUL, which PostgreSQL does not compare
        return WRONG_CREDENTIALS
    outcome = await issue(client_id, secret, question.permissions)
    if isinstance(outcome, InvalidCredentials):
        return WRONG_CREDENTIALS
    return WRONG_PERMISSIONS if isinstance(outcome, InvalidPermissions) else _told(outcome, state)


def _told(issued: AccessToken, state: str | None) -> Response:
    body: dict[str, str | int] = {
        "token_type": "Bearer",
        "access_token": issued.token,
        "expires_in": int(issued.lifetime.total_seconds()),
    }
    if state is not None:
        body["state"] = state
    return Response(msgspec.json.encode(body), media_type="application/json")


def _tell(request: Request, fault: Fault) -> Response:
    body = {
        "errorType": fault.text.title().replace(" ", ""),
        "errorMessage": f"{fault.explanation} {fault.todo}",
    }
    return refusal(request, fault, msgspec.json.encode(body))
