"""One call, three ways to it: the short way, another spelling, and chunks. All answer alike.

Whatever one way refused and another let through, or worded otherwise, would tell them apart.
"""

import json
from dataclasses import dataclass

import pytest

from authreset.rules.outcomes import TokenMode
from authreset.rules.tokens import TokenKind, new_token
from authreset.store.database import StoreUnavailable
from authreset.web.reading import LONGEST_BODY
from tests.hostile.raw import HOT, USUAL, Reply, Visitor, visitor_of
from tests.support.databases import SeededBytes
from tests.support.recovery import Recovery
from tests.support.site import Site

OWN = ("date", "x-request-id")
JSON = "Content-Type: application/json"


@dataclass(frozen=True)
class Row:
    """A call: its body, its token by name (None: no header), and its other header lines."""

    name: str
    status: int
    body: bytes = b"{}"
    token: str | None = "good"
    lines: tuple[str, ...] = (JSON,)


def asking(**fields: object) -> bytes:
    return json.dumps(fields).encode()


ROWS = [
    Row("empty object", 200),
    Row("no body", 200, b""),
    Row("no body and no type", 200, b"", lines=()),
    Row("address", 200, asking(email="ada@example.com")),
    Row("address of nobody", 200, asking(email="nobody@example.com")),
    Row("odd address", 200, asking(email="\ufb01\u00dfe\u0301@example.com")),
    Row("nulls", 200, asking(email=None, entry=None, entryType=None)),
    Row("entry", 200, asking(entry="pilgrim", entryType=0)),
    Row("paypoint", 200, asking(entry="8cfec329267", entryType=2)),
    Row("unknown property", 200, asking(wish="a pony")),
    Row("type with a charset", 200, lines=("Content-Type: application/json; charset=UTF-8",)),
    Row("largest body", 200, b"{}" + b" " * (LONGEST_BODY - 2)),
    Row("token as bearer", 200, lines=(JSON, "Authorization: Bearer {token}"), token=None),
    Row("both tokens", 200, lines=(JSON, "Authorization: Bearer nonsense")),
    Row("from a page", 200, lines=(JSON, "Origin: https://shop.example")),
    Row("public token from a page", 200, token="public", lines=(JSON, "Origin: null")),
    Row("session of a user", 200, token="session"),
    Row("cookies", 200, lines=(JSON, "Cookie: a=b", "Cookie: c=d")),
    Row("close", 200, lines=(JSON, "Connection: close")),
    Row("keep-alive", 200, lines=(JSON, "Connection: keep-alive")),
    Row("expects to go on", 200, lines=(JSON, "Accept: */*", "TE: trailers")),
    Row("bad JSON", 400, b"{"),
    Row("array", 400, b"[]"),
    Row("two objects", 400, b"{}{}"),
    Row("duplicate", 400, b'{"email":null,"email":null}'),
    Row("nested", 400, b"[" * 4000),
    Row("not UTF-8", 400, b'{"entry":"\xff"}'),
    Row("NUL", 400, b"\x00"),
    Row("NUL in a text", 400, asking(entry="a\x00b", entryType=0)),
    Row("lone surrogate", 400, b'{"email":"\\ud800@example.com"}'),
    Row("wrong type", 400, asking(email=1)),
    Row("number too large", 400, b'{"entryType":1e400}'),
    Row("no address", 400, asking(email="ada")),
    Row("address with a line end", 400, asking(email="ada@example.com\r\nBcc: eve@evil.test")),
    Row("entry alone", 400, asking(entry="pilgrim")),
    Row("type alone", 400, asking(entryType=0)),
    Row("type of neither", 400, asking(entry="pilgrim", entryType=1)),
    Row("entry of others", 400, asking(entry="meridian", entryType=0)),
    Row("entry of nobody", 400, asking(entry="nowhere", entryType=0)),
    Row("no JSON", 400, lines=("Content-Type: text/plain",)),
    Row("no type", 400, lines=()),
    Row("two types", 400, lines=("Content-Type: text/plain", JSON + "; charset=latin-1")),
    Row("body over its bound", 400, b"{}" + b" " * (LONGEST_BODY - 1)),
    Row("body far over its bound", 400, b" " * (8 * LONGEST_BODY)),
    Row("no token", 401, token=None),
    Row("empty token", 401, token="empty"),
    Row("garbage", 401, token="garbage"),
    Row("token not of this text", 401, token="latin"),
    Row("unknown token", 401, token="unknown"),
    Row("token of a reset", 401, token="reset"),
    Row("two tokens", 401, lines=(JSON, "requestToken: {token}")),
    Row("basic authorization", 401, token=None, lines=(JSON, "Authorization: Basic YTpi")),
    Row("unauthorized from a page", 401, token=None, lines=(JSON, "Origin: https://shop.example")),
    Row("unauthorized and no JSON", 401, b"[", token="unknown"),
    Row("unauthorized and closed", 401, token="unknown", lines=(JSON, "Connection: close")),
]


@pytest.fixture
async def tokens(site: Site, visitor: Visitor) -> dict[str, str]:
    drawn = SeededBytes(7)
    return {
        "good": visitor.token,
        "public": await site.add_token(mode=TokenMode.PUBLIC),
        "session": await site.recovery.open_session(),
        "unknown": new_token(TokenKind.ORGANIZATION, site.recovery.keyring, drawn),
        "reset": new_token(TokenKind.RESET, site.recovery.keyring, drawn),
        "empty": "",
        "garbage": "let me in",
        "latin": "o.\xe9\xff",
    }


def request(row: Row, path: str, tokens: dict[str, str], *, chunked: bool = False) -> bytes:
    """Write a row's call for one of the ways."""
    lines = [f"POST {path} HTTP/1.1", "Host: x"]
    if row.token is not None:
        lines.append(f"requestToken: {tokens[row.token]}")
    lines += [line.replace("{token}", tokens["good"]) for line in row.lines]
    lines += ["Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(row.body)}"]
    body = row.body
    if chunked:
        cut = [body[at : at + 1000] for at in range(0, len(body), 1000)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in cut) + b"0\r\n\r\n"
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def comparable(reply: Reply) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return an answer without the values that are its own."""
    headers = [(name, "" if name in OWN else value) for name, value in reply.headers]
    return reply.first, headers, reply.body


async def all_ways(visitor: Visitor, row: Row, tokens: dict[str, str]) -> list[Reply]:
    sent = [
        request(row, HOT, tokens),
        request(row, USUAL, tokens),
        request(row, HOT, tokens, chunked=True),
        request(row, "/api//User/AuthReset", tokens),
    ]
    return [await (await visitor.say(one)).hear() for one in sent]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_all_ways_answer_alike(visitor: Visitor, tokens: dict[str, str], row: Row) -> None:
    short, *others = await all_ways(visitor, row, tokens)

    assert short.status == row.status
    for other in others:
        assert comparable(other) == comparable(short)
    recorded = await visitor.site.recorded()
    assert len(recorded) == (4 if row.status == 200 else 0)
    written = [{k: v for k, v in one.items() if k not in ("id", "received_at")} for one in recorded]
    assert all(one == written[0] for one in written)


@pytest.mark.parametrize("key", ["127.0.0.1", "1"], ids=["address", "token"])
async def test_all_ways_limit_alike(visitor: Visitor, tokens: dict[str, str], key: str) -> None:
    visitor.site.limited[key] = 12.3
    short, *others = await all_ways(visitor, Row("limited", 429), tokens)

    assert (short.status, short.header("retry-after")) == (429, "13")
    assert [comparable(other) for other in others] == [comparable(short)] * 3


class Outage(Exception):
    """A fault that nobody foresaw."""


@pytest.mark.parametrize(
    ("fault", "status"), [(StoreUnavailable("gone"), 503), (Outage("secret"), 500)]
)
async def test_all_ways_fail_alike(recovery: Recovery, fault: Exception, status: int) -> None:
    async def append(_: object) -> None:
        raise fault

    site = Site(recovery, append=append)
    async with visitor_of(site) as visitor:
        short, *others = await all_ways(visitor, Row("fails", status), {"good": visitor.token})
    await site.close()

    def without_id(reply: Reply) -> tuple[str, list[tuple[str, str]], bytes]:
        first, headers, body = comparable(reply)
        return first, headers, body.replace((reply.header("x-request-id") or "?").encode(), b"ID")

    assert short.status == status
    assert [without_id(other) for other in others] == [without_id(short)] * 3
    assert b"secret" not in short.body
