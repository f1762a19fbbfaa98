"""What one request carries: token, body, marks of proxies. Judging them happens elsewhere."""

from typing import Final, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from authreset.web.faults import Fault
from authreset.web.reading import CUT_SHORT, LONGEST_BODY, TOO_LARGE, Question, read_json

T = TypeVar("T", bound=Question)

FORWARDING_HEADERS: Final = (
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
)


def is_forwarded(request: Request) -> bool:
    """Tell whether a proxy says that it brings the request for somebody else."""
    return any(name in request.headers for name in FORWARDING_HEADERS)


def token_of(request: Request) -> str | None:
    """Return the token of `requestToken`, else of `Authorization: Bearer`; of several, none."""
    tokens = request.headers.getlist("requesttoken")
    if tokens:
        return tokens[0] if len(tokens) == 1 else None
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else None


async def read_body(request: Request) -> bytes | Fault:
    """Return the body, or the fault as soon as it is sure to be too large."""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:12]) > LONGEST_BODY:
        return TOO_LARGE
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST_BODY:
                return TOO_LARGE
    except ClientDisconnect:
        return CUT_SHORT
    return bytes(body)


async def read_question(request: Request, decoder: msgspec.json.Decoder[T]) -> T | Fault:
    """Return what a JSON body says, or the fault to answer with."""
    body = await read_body(request)
    if isinstance(body, Fault):
        return body
    content_type = request.headers.get("content-type")
    return read_json(body, content_type.encode("latin-1") if content_type else None, decoder)
