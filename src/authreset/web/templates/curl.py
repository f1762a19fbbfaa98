"""A curl command, ready to paste, for one operation of an OpenAPI document.

Never here: a token. The command reads it from the shell's variable TOKEN.
"""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from authreset.web.templates.schemas import Node, resolve, sample_of


@dataclass(frozen=True, slots=True)
class Call:
    """What a command is made of; parameters, body and schemes are resolved."""

    document: Node
    method: str
    url: str
    parameters: Sequence[Node]
    body: Node
    schemes: Sequence[Node]


def curl_line(call: Call) -> str:
    """Return the command, one option a line."""
    verb = "" if call.method == "GET" else f"-X {call.method} "
    return " \\\n  ".join([f"curl {verb}{shlex.quote(_url(call))}", *_headers(call), *_data(call)])


def _url(call: Call) -> str:
    url = call.url
    for parameter in call.parameters:
        if parameter["in"] == "path":
            value = quote(str(_value(call, parameter)), safe="")
            url = url.replace("{" + parameter["name"] + "}", value)
    query = {p["name"]: _value(call, p) for p in call.parameters if _needed(p, "query")}
    return f"{url}?{urlencode(query)}" if query else url


def _needed(parameter: Node, place: str) -> bool:
    return parameter["in"] == place and bool(parameter.get("required"))


def _value(call: Call, parameter: Node) -> Any:
    if "example" in parameter:
        return parameter["example"]
    for example in parameter.get("examples", {}).values():
        return resolve(call.document, example).get("value", "")
    return sample_of(call.document, parameter.get("schema", {}))


def _headers(call: Call) -> Iterator[str]:
    secret = next((_secret_header(scheme) for scheme in call.schemes), None)
    if secret:
        yield f'-H "{secret[0]}: {secret[1]}$TOKEN"'
    for parameter in call.parameters:
        name = parameter["name"]
        if _needed(parameter, "header") and (secret is None or name != secret[0]):
            yield "-H " + shlex.quote(f"{name}: {_value(call, parameter)}")
    if _media_type(call):
        yield "-H " + shlex.quote(f"Content-Type: {_media_type(call)}")


def _secret_header(scheme: Node) -> tuple[str, str] | None:
    if scheme["type"] == "apiKey":
        return (scheme["name"], "") if scheme["in"] == "header" else None
    return "Authorization", f"{scheme.get('scheme', 'bearer').capitalize()} "


def _media_type(call: Call) -> str:
    return next(iter(call.body.get("content", {})), "")


def _data(call: Call) -> Iterator[str]:
    content = call.body.get("content", {}).get(_media_type(call))
    if content is not None:
        yield "-d " + shlex.quote(_encoded(_media_type(call), _body(call, content)))


def _body(call: Call, content: Node) -> Any:
    if "example" in content:
        return content["example"]
    for example in content.get("examples", {}).values():
        return resolve(call.document, example).get("value", {})
    return sample_of(call.document, content.get("schema", {}))


def _encoded(media_type: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if media_type == "application/x-www-form-urlencoded":
        return urlencode(value)
    return json.dumps(value, ensure_ascii=False)
