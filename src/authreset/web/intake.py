"""The one hot call, `POST /api/User/authreset`, served before the framework's routing.

Token, body, one durable row, answer. Nothing here depends on an account, and nothing here can read
one. Everything that is not this call goes on to the application behind it.
"""

import json
from uuid import UUID

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from authreset.flows.accept_request import RECORDED, NewRequest
from authreset.flows.authenticate import ApiCaller, Caller, Unauthorized, UserCaller
from authreset.rules.addresses import has_unsafe_characters, is_address
from authreset.rules.networks import client_address, limit_key
from authreset.rules.outcomes import EntityType
from authreset.rules.tenancy import EntityRef
from authreset.store.database import StoreUnavailable
from authreset.web.faults import UNAUTHORIZED, UNAVAILABLE, Fault, bad_request, too_many
from authreset.web.journal import Journal
from authreset.web.parts import WebParts
from authreset.web.paths import canonical_path
from authreset.web.reading import LONGEST_BODY, TOO_LARGE, read_json

PATH = "/api/user/authreset"
USUAL_PATH = "/api/User/authreset"
LONGEST_EMAIL = 320
LONGEST_ENTRY = 100
PERMISSION = "authreset"

SUCCESS = json.dumps({"isSuccess": True, "responseText": "Success"}, separators=(",", ":")).encode()

NO_ADDRESS = bad_request(
    "email is not an e-mail address.", "Send an address such as a@example.com."
)
ENTRY_ALONE = bad_request("entry and entryType go together.", "Send both, or neither.")
NO_TYPE = bad_request("entryType is neither 0 nor 2.", "Send 0 for a partner, 2 for a paypoint.")
NO_ENTRY = bad_request("entry is not a valid identifier.", "Send the entry's identifier.")
NOT_YOURS = bad_request(
    "There is no such entry of that type for this token.", "Use an entry that belongs to the token."
)


class ResetQuestion(msgspec.Struct):
    """The body. Every field may be absent or null; others are ignored."""

    email: str | None = None
    entry: str | None = None
    entryType: int | None = None  # noqa: N815 -- the name on the wire


class Call:
    """What the headers of one call say."""

    __slots__ = ("content_type", "forwarded", "length", "origin", "token", "tokens")

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self.token: str | None = None
        self.tokens = 0
        self.content_type: bytes | None = None
        self.length = 0
        self.origin = False
        self.forwarded: str | None = None
        bearer: str | None = None
        for name, value in headers:
            if name == b"requesttoken":
                self.token = value.decode("latin-1")
                self.tokens += 1
            elif name == b"content-type":
                self.content_type = value
            elif name == b"content-length":
                self.length = int(value) if value.isdigit() else LONGEST_BODY + 1
            elif name == b"authorization" and value[:7].lower() == b"bearer ":
                bearer = value[7:].strip().decode("latin-1")
            elif name == b"origin":
                self.origin = True
            elif name == b"x-forwarded-for":
                text = value.decode("latin-1")
                self.forwarded = f"{self.forwarded}, {text}" if self.forwarded else text
        if self.token is None:
            self.token = bearer
        elif self.tokens > 1:
            self.token = None  # which of two tokens counts is not for us to guess


class IntakeFront:
    """A plain ASGI application in front of the rest."""

    def __init__(self, parts: WebParts, journal: Journal, behind: ASGIApp) -> None:
        self._parts = parts
        self._journal = journal
        self._behind = behind
        self._decoder = msgspec.json.Decoder(ResetQuestion)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the call, or hand on everything else."""
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self._behind(scope, receive, send)
        path = scope["path"]
        if path != USUAL_PATH and canonical_path(path) != PATH:
            return await self._behind(scope, receive, send)
        return await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        id = self._parts.new_id()
        call = Call(scope["headers"])
        peer = scope["client"]
        address = client_address(
            peer[0] if peer else "", call.forwarded, self._parts.settings.trusted_proxies
        )
        caller: Caller | Fault | None = None
        fault: Fault | None
        try:
            caller = await self._admit(call, address)
            if isinstance(caller, Fault):
                fault = caller
            else:
                fault = await self._accept(id, call, caller, address, receive)
        except StoreUnavailable:
            fault = UNAVAILABLE
        except Exception as error:
            fault = self._journal.failed(str(id), error)
        is_private = isinstance(caller, ApiCaller) and not caller.is_public
        await self._answer(send, str(id), fault, cors=call.origin and not is_private)

    async def _admit(self, call: Call, address: str) -> Caller | Fault:
        wait = self._parts.limit_address(limit_key(address))
        if wait:
            return too_many(wait)
        authenticator = self._parts.authenticator
        caller: Caller | Unauthorized | None = None
        if call.token is not None:
            caller = authenticator.recall(call.token, address)
            if caller is None:
                caller = await authenticator.authenticate(call.token, address)
        if caller is None or isinstance(caller, Unauthorized):
            return UNAUTHORIZED
        if isinstance(caller, ApiCaller):
            if not caller.has_permission(PERMISSION):
                return UNAUTHORIZED
            wait = self._parts.limit_token(str(caller.token_id))
        return too_many(wait) if wait else caller

    async def _accept(
        self, id: UUID, call: Call, caller: Caller, address: str, receive: Receive
    ) -> Fault | None:
        body = TOO_LARGE if call.length > LONGEST_BODY else await read_body(receive)
        if isinstance(body, Fault):
            return body
        question = read_json(body, call.content_type, self._decoder)
        if isinstance(question, Fault):
            return question
        entity = await self._find_entity(question, caller)
        if isinstance(entity, Fault):
            return entity
        request = NewRequest(
            id=id,
            received_at=self._parts.clock().timestamp(),
            source="api",
            token_id=caller.token_id if isinstance(caller, ApiCaller) else None,
            user_id=_subject(caller, question),
            entity_id=entity.id,
            root_id=entity.root_id,
            email=question.email,
            client_address=address,
        )
        return None if await self._parts.intake.record(request) is RECORDED else UNAVAILABLE

    async def _find_entity(self, question: ResetQuestion, caller: Caller) -> EntityRef | Fault:
        email, entry, type = question.email, question.entry, question.entryType
        if email is not None and (len(email) > LONGEST_EMAIL or not is_address(email)):
            return NO_ADDRESS
        if entry is None and type is None:
            return caller.entity
        if entry is None or type is None:
            return ENTRY_ALONE
        if type not in (EntityType.ORGANIZATION, EntityType.PAYPOINT):
            return NO_TYPE
        if not entry or len(entry) > LONGEST_ENTRY or has_unsafe_characters(entry):
            return NO_ENTRY
        return await self._parts.authenticator.find_within(caller, entry, type) or NOT_YOURS

    async def _answer(self, send: Send, id: str, fault: Fault | None, *, cors: bool) -> None:
        if fault is None:
            status, body = 200, SUCCESS
        else:
            status, body = fault.status, fault.body(id if fault.status == 500 else "")
            self._journal.refused(id, PATH, fault)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-request-id", id.encode()),
        ]
        if fault is not None and fault.retry_after is not None:
            headers.append((b"retry-after", str(fault.retry_after).encode()))
        if fault is TOO_LARGE:
            headers.append((b"connection", b"close"))
        if cors:
            headers.append((b"access-control-allow-origin", b"*"))
            headers.append((b"access-control-expose-headers", b"x-request-id, retry-after"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _subject(caller: Caller, question: ResetQuestion) -> int | None:
    """A user's session names its user, unless the body names somebody."""
    return caller.user_id if isinstance(caller, UserCaller) and question.email is None else None


async def read_body(receive: Receive) -> bytes | Fault:
    """Return the body, or the fault when it grows over the limit."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False) and len(body) <= LONGEST_BODY:
        message = await receive()
        body += message.get("body", b"")
    return TOO_LARGE if len(body) > LONGEST_BODY else body
