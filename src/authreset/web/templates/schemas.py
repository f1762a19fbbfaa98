"""JSON Schema as the API reference shows it: rows of fields, and a sample value.

Never here: operations, HTML.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Node = Mapping[str, Any]

_DEEPEST: Final = 5  # a schema may hold itself; nobody reads further down than this
_LIMITS: Final = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "from {}",
    "maximum": "up to {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches {}",
    "default": "default {}",
    "const": "always {}",
}
_SAMPLES: Final = {"integer": 0, "number": 0, "boolean": True, "null": None}
_SAMPLE_TEXTS: Final = {
    "email": "ada@example.com",
    "date-time": "2026-11-23T18:03:12Z",
    "uri": "https://example.com/",
    "uuid": "0198f2a4-6f1c-7d3a-9a53-0c1f4b1de001",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One named value: a parameter, a header, or a property with its path in dots."""

    name: str
    kind: str
    required: bool
    text: str
    limits: tuple[str, ...]
    place: str = ""


def resolve(document: Node, node: Node) -> Node:
    """Follow `$ref` inside the document; words beside the reference win over those behind it.

    A reference that leads nowhere raises KeyError.
    """
    beside = {key: value for key, value in node.items() if key != "$ref"}
    while "$ref" in node:
        node = _at(document, node["$ref"])
        beside = {**node, **beside}
    return {key: value for key, value in beside.items() if key != "$ref"}


def _at(document: Node, pointer: str) -> Node:
    found: Node = document
    for step in pointer.removeprefix("#/").split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


def whole(document: Node, schema: Node) -> Node:
    """Resolve a schema and fold the members of its `allOf` into it."""
    resolved = dict(resolve(document, schema))
    for member in resolved.pop("allOf", ()):
        part = whole(document, member)
        resolved = {**part, **resolved, **_joined(part, resolved)}
    return resolved


def _joined(one: Node, other: Node) -> Node:
    return {
        "properties": {**one.get("properties", {}), **other.get("properties", {})},
        "required": [*one.get("required", ()), *other.get("required", ())],
    }


def make_field(
    document: Node, name: str, schema: Node, *, required: bool, text: str = "", place: str = ""
) -> Field:
    """Describe one named value by its schema; `text` wins over the schema's description."""
    known = whole(document, schema)
    text = text or known.get("description", "")
    return Field(name, kind_of(document, known), required, text, _limits_of(known), place)


def kind_of(document: Node, schema: Node) -> str:
    """Say the type of a schema in a few words, such as `string (email) or null`."""
    schema = whole(document, schema)
    choices = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
    if choices:
        return " or ".join(dict.fromkeys(kind_of(document, choice) for choice in choices))
    named = schema.get("type", "object" if "properties" in schema else "any")
    kinds = [named] if isinstance(named, str) else list(named)
    return " or ".join(_one_kind(document, kind, schema) for kind in kinds)


def _one_kind(document: Node, kind: str, schema: Node) -> str:
    if kind == "array" and "items" in schema:
        # The items of a list that may hold itself are named, not followed.
        items = schema["items"]
        inner = "objects" if "$ref" in items else kind_of(document, items)
        return f"array of {inner}"
    return f"{kind} ({schema['format']})" if kind == "string" and "format" in schema else kind


def _limits_of(schema: Node) -> tuple[str, ...]:
    limits = [words.format(_plain(schema[key])) for key, words in _LIMITS.items() if key in schema]
    if "enum" in schema:
        limits.append("one of " + ", ".join(_plain(value) for value in schema["enum"]))
    return tuple(limits)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def fields_of(document: Node, schema: Node, path: str = "", depth: int = 0) -> Iterator[Field]:
    """Yield the properties of a schema, each before those that it holds."""
    if depth >= _DEEPEST:
        return
    schema = whole(document, schema)
    for choice in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from fields_of(document, choice, path, depth)
    if "items" in schema:
        yield from fields_of(document, schema["items"], f"{path}[]", depth + 1)
    yield from _properties_of(document, schema, path, depth)


def _properties_of(document: Node, schema: Node, path: str, depth: int) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        full = f"{path}.{name}" if path else name
        yield make_field(document, full, inner, required=name in required)
        yield from fields_of(document, inner, full, depth + 1)


def sample_of(document: Node, schema: Node, depth: int = 0) -> Any:
    """Return the schema's own example, or a value of its shape."""
    schema = whole(document, schema)
    for key in ("example", "const", "default"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    return _made_up(document, schema, depth)


def _made_up(document: Node, schema: Node, depth: int) -> Any:
    choices = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
    if choices:
        return sample_of(document, choices[0], depth)
    named = schema.get("type", "object")
    kind = named if isinstance(named, str) else named[0]
    if kind == "object":
        return _made_up_object(document, schema, depth)
    if kind == "array":
        room = "items" in schema and depth < _DEEPEST
        return [sample_of(document, schema["items"], depth + 1)] if room else []
    return _SAMPLES.get(kind, _SAMPLE_TEXTS.get(schema.get("format", ""), "string"))


def _made_up_object(document: Node, schema: Node, depth: int) -> Node:
    if depth >= _DEEPEST:
        return {}
    properties = schema.get("properties", {}).items()
    return {name: sample_of(document, inner, depth + 1) for name, inner in properties}
