"""The one hot call, `POST /api/User/authreset`: token, body, one durable row, answer.

Nothing here depends on an account, and nothing here can read one. The decision is made without
waiting whenever the token and the entry are at hand, so that a busy intake makes no task a call;
`web.express` brings calls here straight from the parser, `web.app` from any ASGI server.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec

from authreset.flows.accept_request import RECORDED, REFUSED, Accepted, NewRequest
from authreset.flows.authenticate import ApiCaller, Caller, Unauthorized, UserCaller
from authreset.rules.networks import client_address, limit_key
from authreset.rules.tenancy import EntityRef
from authreset.store.database import StoreUnavailable
from authreset.web.calls import Answer, Call, Fields, Headers, fields_of
from authreset.web.faults import INTERNAL, UNAUTHORIZED, UNAVAILABLE, Fault, bad_request, too_many
from authreset.web.journal import Journal
from authreset.web.parts import WebParts
from authreset.web.questions import ResetQuestion, find_fault
from authreset.web.reading import TOO_LARGE, read_json

PATH = "/api/user/authreset"
PERMISSION = "authreset"

SUCCESS = msgspec.json.encode({"isSuccess": True, "responseText": "Success"})

NOT_YOURS = bad_request(
    "There is no such entry of that type for this token.", "Use an entry that belongs to the token."
)

_COMMON: Headers = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]
_SUCCEEDED: Headers = [*_COMMON, (b"content-length", b"%d" % len(SUCCESS))]
_CORS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"x-request-id, retry-after"),
]


@dataclass(frozen=True, slots=True)
class Missing:
    """The decision needs something that is not at hand; `fetch` brings it there."""

    fetch: Callable[[], Awaitable[None]]


class IntakeCalls:
    """Serves calls to the intake, whoever brings them."""

    def __init__(self, parts: WebParts, journal: Journal) -> None:
        self._parts = parts
        self._journal = journal
        self._decoder = msgspec.json.Decoder(ResetQuestion)
        self._tasks: set[asyncio.Task[None]] = set()

    def serve_soon(
        self,
        fields: Fields,
        body: bytes,
        peer: str,
        respond: Callable[[Answer], None],
    ) -> None:
        """Serve a call and hand its answer to `respond`, now or later. Never raises."""
        call = self._read(fields, peer)
        try:
            verdict = self._limit_address(call) or self._decide_at_once(call, body)
        except Exception as error:
            verdict = self._journal.failed(str(call.id), error)
        if isinstance(verdict, NewRequest):
            self._parts.intake.record_soon(
                verdict, lambda accepted: respond(self._answer(call, _fault_of(accepted)))
            )
        elif isinstance(verdict, Missing):
            task = asyncio.get_running_loop().create_task(self._serve_later(call, body, respond))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            respond(self._answer(call, verdict))

    async def serve(
        self, headers: Sequence[tuple[bytes, bytes]], body: bytes | Fault, peer: str
    ) -> Answer:
        """Serve a call and return its answer. A body that could not be read is its fault."""
        call = self._read(fields_of(headers), peer)
        fault = self._limit_address(call)
        if fault is None:
            fault = body if isinstance(body, Fault) else await self._settle(call, body)
        return self._answer(call, fault)

    async def _serve_later(
        self, call: Call, body: bytes, respond: Callable[[Answer], None]
    ) -> None:
        respond(self._answer(call, await self._settle(call, body)))

    def _decide_at_once(self, call: Call, body: bytes) -> NewRequest | Fault | Missing:
        if self._parts.shared_limits is not None:
            return _ELSEWHERE
        return self._decide(call, body)

    async def _settle(self, call: Call, body: bytes) -> Fault | None:
        try:
            if fault := await self._ask_shared("address", limit_key(call.address)):
                return fault
            verdict = self._decide(call, body)
            while isinstance(verdict, Missing):
                await verdict.fetch()
                verdict = self._decide(call, body)
            if isinstance(verdict, Fault):
                return verdict
            token_id = verdict.token_id  # None: a session, which has its address's allowance alone
            fault = await self._ask_shared("token", str(token_id)) if token_id else None
            return fault or _fault_of(await self._parts.intake.record(verdict))
        except StoreUnavailable:
            return UNAVAILABLE
        except Exception as error:
            return self._journal.failed(str(call.id), error)

    def _read(self, fields: Fields, peer: str) -> Call:
        trusted = self._parts.settings.trusted_proxies
        if trusted:
            forwarded = fields.get(b"x-forwarded-for", b"").decode("latin-1")
            peer = client_address(peer, forwarded, trusted)
        return Call(fields, self._parts.new_id(), peer)

    def _limit_address(self, call: Call) -> Fault | None:
        wait = self._parts.limit_address(limit_key(call.address))
        return too_many(wait) if wait else None

    def _decide(self, call: Call, body: bytes) -> NewRequest | Fault | Missing:
        caller = call.caller or self._parts.authenticator.recall(call.token, call.address)
        if caller is None:
            return Missing(lambda: self._identify(call))
        call.caller = caller
        if isinstance(caller, Unauthorized):
            return UNAUTHORIZED
        if isinstance(caller, ApiCaller) and not caller.has_permission(PERMISSION):
            return UNAUTHORIZED
        question = read_json(body, call.content_type, self._decoder)
        if isinstance(question, Fault):
            return question
        if fault := find_fault(question):
            return fault
        entity = self._find_entity(call, question, caller)
        if not isinstance(entity, EntityRef):
            return entity
        return self._limit_token(caller) or self._compose(call, question, caller, entity)

    async def _identify(self, call: Call) -> None:
        call.caller = await self._parts.authenticator.authenticate(call.token, call.address)

    def _find_entity(
        self, call: Call, question: ResetQuestion, caller: Caller
    ) -> EntityRef | Fault | Missing:
        entry, type = question.entry, question.entryType
        if entry is None:
            return caller.entity
        entity = call.entity or self._parts.authenticator.recall_entity(entry)
        if entity is None:
            return Missing(lambda: self._fetch_entity(call, entry))
        if isinstance(entity, Unauthorized) or entity.type != type:
            return NOT_YOURS
        return entity if caller.entity.holds(entity) else NOT_YOURS

    async def _fetch_entity(self, call: Call, entry: str) -> None:
        # Kept with the call: under load an answer may be too old to be recalled when it comes.
        call.entity = await self._parts.authenticator.find_entity(entry)

    async def _ask_shared(self, kind: str, key: str) -> Fault | None:
        wait = await self._parts.shared_wait(kind, key)
        return too_many(wait) if wait else None

    def _limit_token(self, caller: Caller) -> Fault | None:
        if isinstance(caller, UserCaller):
            return None
        wait = self._parts.limit_token(str(caller.token_id))
        return too_many(wait) if wait else None

    def _compose(
        self, call: Call, question: ResetQuestion, caller: Caller, entity: EntityRef
    ) -> NewRequest:
        token_id, user_id = None, None
        if isinstance(caller, ApiCaller):
            token_id = caller.token_id
        elif question.email is None:
            user_id = caller.user_id  # a session names its user, unless the body names somebody
        return NewRequest(
            id=call.id,
            received_at=self._parts.clock(),
            source="api",
            token_id=token_id,
            user_id=user_id,
            entity_id=entity.id,
            root_id=entity.root_id,
            email=question.email,
            client_address=call.address,
        )

    def _answer(self, call: Call, fault: Fault | None) -> Answer:
        id = str(call.id)
        headers = [(b"x-request-id", id.encode())]
        if call.origin and not _is_private(call.caller):
            headers += _CORS
        if fault is None:
            headers += _SUCCEEDED
            return Answer(200, headers, SUCCESS)
        self._journal.refused(id, PATH, fault.status, fault.explanation)
        body = fault.body(id if fault.status == 500 else "")
        headers += [*_COMMON, (b"content-length", b"%d" % len(body))]
        if fault.retry_after is not None:
            headers.append((b"retry-after", b"%d" % fault.retry_after))
        if fault is TOO_LARGE:
            headers.append((b"connection", b"close"))
        return Answer(fault.status, headers, body)


async def _nothing() -> None:
    """There is nothing to fetch; the decision only has to be made where it may wait."""


_ELSEWHERE = Missing(_nothing)


def _is_private(caller: Caller | Unauthorized | None) -> bool:
    return isinstance(caller, ApiCaller) and not caller.is_public


def _fault_of(accepted: Accepted) -> Fault | None:
    if accepted is RECORDED:
        return None
    return INTERNAL if accepted is REFUSED else UNAVAILABLE
