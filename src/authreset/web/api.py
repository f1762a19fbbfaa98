"""The calls that complete a reset and prove it: set a password, log in, refresh, log out.

Asking for a reset is `intake`'s call. Paths are in lower case: they are made so before routing.
"""

from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from authreset.flows.authenticate import IDLE_LIMIT, ApiCaller, Unauthorized, UserCaller
from authreset.flows.change_password import ChangePassword, PasswordChanged
from authreset.flows.inspect_reset import LinkOver
from authreset.flows.judge_password import Weak
from authreset.flows.log_in import SESSION_LIFETIME, LogIn, LogInAttempt, Refused
from authreset.flows.log_out import LogOut
from authreset.flows.redeem_reset import Redeemed
from authreset.flows.refresh_session import RefreshSession
from authreset.rules.addresses import has_unsafe_characters, is_address
from authreset.rules.outcomes import EntityType
from authreset.rules.tenancy import EntityRef
from authreset.rules.tokens import TokenKind, read_kind
from authreset.web.answers import WRONG_CREDENTIALS, overused, success, telling, weak_password
from authreset.web.completion import make_judge, make_redeem
from authreset.web.faults import (
    NOT_ALLOWED,
    NOT_ALLOWED_METHOD,
    UNAUTHORIZED,
    Fault,
    bad_request,
    too_many,
)
from authreset.web.intake import NOT_YOURS, PATH
from authreset.web.parts import WebParts
from authreset.web.questions import (
    ENTRY_ALONE,
    LONGEST_ENTRY,
    NO_ADDRESS,
    NO_ENTRY,
    NO_TYPE,
)
from authreset.web.reading import Question
from authreset.web.receiving import read_question, token_of

PERMISSION: Final = "login"

NO_PASSWORD: Final = bad_request("psw is missing.", "Send the new password as psw.")
NO_CREDENTIALS: Final = bad_request("email and psw are both needed.", "Send both.")


class PasswordQuestion(Question):
    """The body of `PUT /User/authpsw`."""

    psw: str | None = None


class LogInQuestion(Question):
    """The body of `POST /User/auth/{provider}`. Other fields of the contract are ignored."""

    email: str | None = None
    psw: str | None = None
    entry: str | None = None
    entryType: int | None = None  # noqa: N815 -- the name on the wire


_PASSWORDS: Final = msgspec.json.Decoder(PasswordQuestion)
_LOG_INS: Final = msgspec.json.Decoder(LogInQuestion)


def routes(parts: WebParts) -> list[BaseRoute]:
    """Return the routes of the API but for the hot call."""
    calls = Calls(parts)
    log_out = Route("/api/user/authlogout", telling(calls.log_out), methods=["GET"])
    log_out.methods = {"GET"}  # Starlette adds HEAD, which must not end a session
    return [
        Route(PATH, refuse_method, methods=["POST"]),
        Route("/api/user/authpsw", telling(calls.set_password), methods=["PUT"]),
        # There is one provider, the built-in one. SDKs write "null" for it; the name is not read.
        Route("/api/user/auth/{provider}", telling(calls.log_in), methods=["POST"]),
        Route("/api/user/authrefresh", telling(calls.refresh), methods=["POST"]),
        log_out,
    ]


async def refuse_method(_request: Request) -> Response:
    """Stand for the hot call, which never comes this far, so that other methods get their 405."""
    raise HTTPException(NOT_ALLOWED_METHOD.status, headers={"Allow": "POST"})


class Calls:
    """The handlers. Each admits, reads, acts and answers, in this order."""

    def __init__(self, parts: WebParts) -> None:
        self._parts = parts
        self._redeem = make_redeem(parts)
        self._change = ChangePassword(
            database=parts.database,
            judge=make_judge(parts),
            clock=parts.clock,
            new_id=parts.new_id,
        )
        self._log_in = LogIn(
            database=parts.database,
            keyring=parts.keyring,
            hasher=parts.hasher,
            clock=parts.clock,
            random_bytes=parts.random_bytes,
        )
        self._refresh = RefreshSession(
            database=parts.database,
            keyring=parts.keyring,
            clock=parts.clock,
            random_bytes=parts.random_bytes,
        )
        self._log_out = LogOut(database=parts.database, clock=parts.clock)

    async def set_password(self, request: Request) -> Response | Fault:
        """Set the password of whoever holds a reset token or a session."""
        address = self._parts.client_address(request)
        holder = await self._admit_holder(request, address)
        if isinstance(holder, Fault):
            return holder
        question = await read_question(request, _PASSWORDS)
        if isinstance(question, Fault):
            return question
        if question.psw is None:
            return NO_PASSWORD
        return await self._set(holder, question.psw, address)

    async def _set(self, holder: str | UserCaller, password: str, address: str) -> Response | Fault:
        if wait := self._parts.wait_of_holder(holder):
            return overused(wait)
        outcome: Redeemed | PasswordChanged | Weak | LinkOver | Unauthorized
        if isinstance(holder, str):
            outcome = await self._redeem(holder, password, address)
        else:
            outcome = await self._change(holder, password, address)
        if isinstance(outcome, Weak):
            return weak_password(outcome.weaknesses)
        return UNAUTHORIZED if isinstance(outcome, LinkOver | Unauthorized) else success()

    async def log_in(self, request: Request) -> Response | Fault:
        """Open a session for a user of the application's tree."""
        address = self._parts.client_address(request)
        caller = await self._admit_application(request, address)
        if isinstance(caller, Fault):
            return caller
        question = await read_question(request, _LOG_INS)
        if isinstance(question, Fault):
            return question
        attempt = await self._attempt(question, caller, address)
        if isinstance(attempt, Fault):
            return attempt
        outcome = await self._log_in(attempt)
        if isinstance(outcome, Refused):
            return WRONG_CREDENTIALS
        no_mfa = {"mfa": False, "mfaMode": None, "mfaValidationCode": None}
        return success({"responseData": outcome.token, **no_mfa})

    async def refresh(self, request: Request) -> Response | Fault:
        """Exchange a session's token."""
        caller = await self._admit_user(request)
        if isinstance(caller, Fault):
            return caller
        outcome = await self._refresh(caller)
        if isinstance(outcome, Unauthorized):
            return UNAUTHORIZED
        return success(
            {
                "responseData": outcome.token,
                "remaining": SESSION_LIFETIME.seconds // 60,
                "inactiveTokenTime": IDLE_LIMIT.seconds // 60,
            }
        )

    async def log_out(self, request: Request) -> Response | Fault:
        """End a session."""
        caller = await self._admit_user(request)
        if isinstance(caller, Fault):
            return caller
        outcome = await self._log_out(caller, self._parts.client_address(request))
        return UNAUTHORIZED if isinstance(outcome, Unauthorized) else success()

    async def _admit_holder(self, request: Request, address: str) -> str | UserCaller | Fault:
        """Return a reset token of the right form, looked up later, or a user with a session."""
        if wait := await self._parts.wait_of_address(address):
            return too_many(wait)
        token = token_of(request)
        if token and read_kind(token, self._parts.keyring) is TokenKind.RESET:
            return token
        caller = await self._parts.authenticator.authenticate(token, address)
        return caller if isinstance(caller, UserCaller) else UNAUTHORIZED

    async def _admit_user(self, request: Request) -> UserCaller | Fault:
        holder = await self._admit_holder(request, self._parts.client_address(request))
        return UNAUTHORIZED if isinstance(holder, str) else holder

    async def _admit_application(self, request: Request, address: str) -> ApiCaller | Fault:
        if wait := await self._parts.wait_of_address(address):
            return too_many(wait)
        caller = await self._parts.authenticator.authenticate(token_of(request), address)
        if isinstance(caller, Unauthorized):
            return UNAUTHORIZED
        if not isinstance(caller, ApiCaller) or not caller.may_manage_users():
            return NOT_ALLOWED
        if not caller.has_permission(PERMISSION):
            return NOT_ALLOWED
        key = str(caller.token_id)
        wait = self._parts.limit_token(key) or await self._parts.shared_wait("token", key)
        return too_many(wait) if wait else caller

    async def _attempt(
        self, question: LogInQuestion, caller: ApiCaller, address: str
    ) -> LogInAttempt | Fault:
        if question.email is None or question.psw is None:
            return NO_CREDENTIALS
        if not is_address(question.email):
            return NO_ADDRESS
        entity = await self._find_entity(question, caller)
        if isinstance(entity, Fault):
            return entity
        return LogInAttempt(
            email=question.email,
            password=question.psw,
            entity=entity,
            actor=f"token:{caller.token_id}",
            client_address=address,
        )

    async def _find_entity(self, question: LogInQuestion, caller: ApiCaller) -> EntityRef | Fault:
        entry, node_type = question.entry, question.entryType
        if entry is None and node_type is None:
            return caller.entity
        if entry is None or node_type is None:
            return ENTRY_ALONE
        if node_type not in (EntityType.ORGANIZATION, EntityType.PAYPOINT):
            return NO_TYPE
        if not entry or len(entry) > LONGEST_ENTRY or has_unsafe_characters(entry):
            return NO_ENTRY
        found = await self._parts.authenticator.find_entity(entry)
        if isinstance(found, Unauthorized) or found.type != node_type:
            return NOT_YOURS
        return found if caller.entity.holds(found) else NOT_YOURS
