"""An OpenAPI 3.1 document in the order and the words of the API reference page.

Never here: HTML, and anything about what this service's API is; the document says that.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from authreset.web.templates.curl import Call, curl_line
from authreset.web.templates.schemas import Field, Node, fields_of, make_field, resolve, sample_of

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(frozen=True, slots=True)
class Example:
    """A body to look at: its name in the document (may be empty) and its text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Content:
    """One media type of a body."""

    media_type: str
    fields: tuple[Field, ...]
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One status of an operation; `status` is written as in the document, such as `200`."""

    status: str
    text: str
    headers: tuple[Field, ...]
    contents: tuple[Content, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path."""

    anchor: str
    method: str
    path: str
    title: str
    text: str
    deprecated: bool
    credentials: tuple[tuple[str, str], ...]
    parameters: tuple[Field, ...]
    contents: tuple[Content, ...]
    answers: tuple[Answer, ...]
    curl: str


@dataclass(frozen=True, slots=True)
class Group:
    """The operations that carry one tag."""

    name: str
    text: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """The whole page."""

    title: str
    version: str
    text: str
    server: str
    groups: tuple[Group, ...]


def read_reference(document: Node, base_url: str) -> Reference:
    """Read a document; its server's path is put behind `base_url` when it names no host."""
    info = document["info"]
    server = _server_of(document, base_url)
    operations = [*_operations(document, server)]
    return Reference(
        title=info["title"],
        version=info["version"],
        text=info.get("description", info.get("summary", "")),
        server=server,
        groups=tuple(_groups(document, operations)),
    )


def _server_of(document: Node, base_url: str) -> str:
    url: str = (document.get("servers") or [{"url": ""}])[0]["url"].rstrip("/")
    return url if re.match("https?://", url) else base_url.rstrip("/") + url


def _operations(document: Node, server: str) -> Iterator[tuple[str, Operation]]:
    for path, item in document.get("paths", {}).items():
        item = resolve(document, item)
        for method in _METHODS:
            if method in item:
                spec = {**item[method], "parameters": _parameters(document, item, method)}
                tag = (spec.get("tags") or [""])[0]
                yield tag, _operation(document, server, method.upper(), path, spec)


def _parameters(document: Node, item: Node, method: str) -> list[Node]:
    """Join the path's parameters and the operation's; the operation's win."""
    both = [*item.get("parameters", ()), *item[method].get("parameters", ())]
    resolved = [resolve(document, parameter) for parameter in both]
    return [*{(parameter["in"], parameter["name"]): parameter for parameter in resolved}.values()]


def _groups(document: Node, operations: list[tuple[str, Operation]]) -> Iterator[Group]:
    texts = {tag["name"]: tag.get("description", "") for tag in document.get("tags", ())}
    used = dict.fromkeys([*texts, *(tag for tag, _ in operations)])
    for name in used:
        members = tuple(operation for tag, operation in operations if tag == name)
        if members:
            yield Group(name or "Operations", texts.get(name, ""), members)


def _operation(document: Node, server: str, method: str, path: str, spec: Node) -> Operation:
    title = spec.get("summary") or f"{method} {path}"
    body = resolve(document, spec.get("requestBody", {}))
    schemes = tuple(_schemes(document, spec))
    return Operation(
        anchor=_anchor(spec.get("operationId") or f"{method}-{path}"),
        method=method,
        path=path,
        title=title,
        text=spec.get("description", ""),
        deprecated=spec.get("deprecated", False),
        credentials=tuple(_credential(scheme) for scheme in schemes),
        parameters=tuple(_parameter(document, parameter) for parameter in spec["parameters"]),
        contents=_contents(document, body),
        answers=tuple(_answers(document, spec.get("responses", {}))),
        curl=curl_line(Call(document, method, server + path, spec["parameters"], body, schemes)),
    )


def _anchor(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()


def _parameter(document: Node, parameter: Node) -> Field:
    return make_field(
        document,
        parameter["name"],
        parameter.get("schema", {}),
        required=parameter.get("required", False),
        text=parameter.get("description", ""),
        place=parameter["in"],
    )


def _schemes(document: Node, spec: Node) -> Iterator[Node]:
    """Yield the security schemes of which any one opens the operation."""
    known = document.get("components", {}).get("securitySchemes", {})
    for choice in spec.get("security", document.get("security", ())):
        yield from (resolve(document, known[name]) for name in choice)


def _credential(scheme: Node) -> tuple[str, str]:
    """Say where a credential goes and under which name."""
    if scheme["type"] == "apiKey":
        return scheme["in"], scheme["name"]
    return "header", f"Authorization: {scheme.get('scheme', scheme['type']).capitalize()}"


def _answers(document: Node, responses: Node) -> Iterator[Answer]:
    for status, reference in responses.items():
        answer = resolve(document, reference)
        headers = tuple(
            _parameter(document, {**resolve(document, header), "name": name, "in": ""})
            for name, header in answer.get("headers", {}).items()
        )
        yield Answer(
            str(status), answer.get("description", ""), headers, _contents(document, answer)
        )


def _contents(document: Node, body: Node) -> tuple[Content, ...]:
    return tuple(
        Content(
            media_type,
            tuple(fields_of(document, content.get("schema", {}))),
            tuple(_examples(document, content)),
        )
        for media_type, content in body.get("content", {}).items()
    )


def _examples(document: Node, content: Node) -> Iterator[Example]:
    for name, reference in content.get("examples", {}).items():
        example = resolve(document, reference)
        yield Example(example.get("summary", name), _as_text(example.get("value")))
    if "example" in content:
        yield Example("", _as_text(content["example"]))
    elif "schema" in content and not content.get("examples"):
        yield Example("", _as_text(sample_of(document, content["schema"])))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
