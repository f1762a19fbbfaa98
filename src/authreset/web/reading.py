"""Reading bodies strictly: one meaning a body, or a fault. Judges nothing that a body asks for."""

import json
from typing import Any, TypeVar

import msgspec
from starlette.types import Receive

from authreset.web.faults import Fault, bad_request


class Question(msgspec.Struct):
    """What a body may say; every field is None unless the body gives it."""


T = TypeVar("T", bound=Question)

LONGEST_BODY = 16 * 1024
DEEPEST_BODY = 200
"""Objects and arrays inside each other; far less than the decoders manage."""

NOT_JSON = bad_request(
    "The Content-Type is not application/json.", "Send JSON with Content-Type: application/json."
)
NOT_UTF8 = bad_request("The body is not UTF-8.", "Encode the body as UTF-8 (RFC 8259).")
TOO_LARGE = bad_request(f"The body is larger than {LONGEST_BODY} bytes.", "Send a smaller body.")
CUT_SHORT = bad_request("The body ended early.")
TOO_DEEP = bad_request("The body is nested too deeply.", "Send a flat JSON object.")
DUPLICATE = bad_request("The body names a property twice.", "Name each property once.")
MALFORMED = bad_request("The body is not well-formed JSON.", "Send one JSON object.")


class _DuplicateKey(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> None:
    # RFC 8259, section 4: what a repeated name means is not agreed on, so two readers may differ.
    if len(dict(pairs)) != len(pairs):
        raise _DuplicateKey


_find_duplicates = json.JSONDecoder(object_pairs_hook=_unique).decode


def read_json(
    body: bytes, content_type: bytes | None, decoder: msgspec.json.Decoder[T]
) -> T | Fault:
    """Return what the body says, or the fault to answer with. An empty body reads as `{}`."""
    if not body:
        return decoder.decode(b"{}")
    if content_type != b"application/json" and not _is_json(content_type):
        return NOT_JSON
    if len(body) > LONGEST_BODY:
        return TOO_LARGE
    if len(body) > DEEPEST_BODY and _is_too_deep(body):
        return TOO_DEEP
    try:
        text = body.decode()
        value = decoder.decode(body)
        # Each property has a colon: as many of them as fields given leave no room for a second.
        if body.count(b":") != _count_given(value):
            _find_duplicates(text)
    except UnicodeDecodeError:
        return NOT_UTF8
    except _DuplicateKey:
        return DUPLICATE
    except msgspec.ValidationError as error:
        return bad_request(f"{error}.")
    except ValueError:  # msgspec.DecodeError and the like
        return MALFORMED
    return value


def _is_too_deep(body: bytes) -> bool:
    # Told before decoding: how deep a decoder goes depends on how deep it is called.
    if body.count(b"{") + body.count(b"[") <= DEEPEST_BODY:
        return False
    depth, in_string, is_escaped = 0, False, False
    for sign in body:
        if in_string:
            in_string = is_escaped or sign != ord('"')
            is_escaped = sign == ord("\\") and not is_escaped
        elif sign == ord('"'):
            in_string = True
        else:
            depth += (sign in b"{[") - (sign in b"}]")
            if depth > DEEPEST_BODY:
                return True
    return False


def _count_given(value: Question) -> int:
    fields = msgspec.structs.astuple(value)
    return len(fields) - fields.count(None)


async def read_body(receive: Receive) -> bytes | Fault:
    """Return the body, or the fault when it grows over the limit or ends before its end.

    A body that never came whole must not be read as one that is shorter, or empty.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return CUT_SHORT
        body += message.get("body", b"")
        if len(body) > LONGEST_BODY:
            return TOO_LARGE
        if not message.get("more_body", False):
            return bytes(body)


def _is_json(content_type: bytes | None) -> bool:
    media_type, *parameters = (content_type or b"").lower().split(b";")
    if media_type.strip() != b"application/json":
        return False
    return all(
        one.strip().replace(b'"', b"") in (b"", b"charset=utf-8", b"charset=utf8")
        for one in parameters
    )
