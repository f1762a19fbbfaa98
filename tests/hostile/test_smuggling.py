"""Requests whose end two readers could see in different places: refused, whatever hides in them.

RFC 9112, sections 2.2, 3.2, 5.2, 6 and 7.1, which says what a server must refuse and what it may.
"""

import pytest

from tests.hostile.raw import HOT, USUAL, Reply, Visitor

PATHS = pytest.mark.parametrize("path", [HOT, USUAL], ids=["hot", "usual"])
CHUNKED = "Transfer-Encoding: chunked"
BODY = b"2\r\n{}\r\n0\r\n\r\n"


def assert_refused(replies: list[Reply]) -> None:
    assert [reply.status for reply in replies] == [400]
    assert replies[0].body.startswith(b'{"isSuccess":false,"responseCode":400,')
    assert replies[0].header("connection") == "close"


@PATHS
@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 2", CHUNKED),
        (CHUNKED, "Content-Length: 12"),
        ("Content-Length: 2", "Content-Length: 3"),
        ("Content-Length: 2", "Content-Length: 2"),
        ("Content-Length: 2, 2",),
        ("Content-Length: +2",),
        ("Content-Length: 0x2",),
        ("Content-Length: 2a",),
        ("Content-Length: ",),
        ("Content-Length: -2",),
        ("Content-Length : 2",),
        ("Content-Length: 99999999999999999999",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: chunked, chunked",),
        ("Transfer-Encoding: gzip, chunked",),
        ("Transfer-Encoding: identity, chunked",),
        ("Transfer-Encoding: identity",),
        ('Transfer-Encoding: "chunked"',),
        ("Transfer-Encoding: chunked;q=1",),
        ("Transfer-Encoding: \x0bchunked",),
        ("Transfer-Encoding : chunked",),
        (CHUNKED, "Transfer-Encoding: identity"),
        (CHUNKED, CHUNKED),
        ("X: y\r\n z", "Content-Length: 2"),
        ("Content-Length:\r\n 2",),
        ("X: y\nContent-Length: 2",),
        ("X: y\rContent-Length: 2",),
        ("X: \x00", "Content-Length: 2"),
        ("X y: z", "Content-Length: 2"),
        (": z", "Content-Length: 2"),
        ("Host: y", "Content-Length: 2"),
    ],
    ids=repr,
)
async def test_head_that_can_be_read_in_two_ways_is_refused(
    visitor: Visitor, path: str, lines: tuple[str, ...]
) -> None:
    body = b"{}" if "Transfer-Encoding" not in "".join(lines) else BODY
    line = await visitor.say(visitor.head(path, lines) + body + visitor.call())

    assert_refused(await line.hear_all())
    assert await visitor.site.recorded() == []


@PATHS
async def test_every_line_has_to_end_as_http_says(visitor: Visitor, path: str) -> None:
    line = await visitor.say(visitor.call(path=path).replace(b"\r\n", b"\n"))

    assert_refused(await line.hear_all())


@PATHS
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_no_host_is_refused_where_http_wants_one(
    visitor: Visitor, path: str, version: bytes
) -> None:
    request = visitor.call(path=path, more=["Connection: close"]).replace(b"Host: x\r\n", b"")
    line = await visitor.say(request.replace(b"HTTP/1.1", b"HTTP/" + version))
    (reply,) = await line.hear_all()

    assert reply.status == (400 if version == b"1.1" else 200)


@PATHS
@pytest.mark.parametrize(
    "body",
    [
        b"2\n{}\r\n0\r\n\r\n",
        b"2;a\n{}\r\n0\r\n\r\n",
        b"2\r\n{}0\r\n\r\n",
        b"2\r\n{}XX0\r\n\r\n",
        b"-2\r\n{}\r\n0\r\n\r\n",
        b"0x2\r\n{}\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n",
        b" 2\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}\r\n0\r\nX y\r\n\r\n",
        b"\r\n{}\r\n0\r\n\r\n",
    ],
    ids=repr,
)
async def test_chunks_that_can_be_read_in_two_ways_are_refused(
    visitor: Visitor, path: str, body: bytes
) -> None:
    line = await visitor.say(visitor.head(path, [CHUNKED]) + body + visitor.call())

    assert_refused(await line.hear_all())
    assert await visitor.site.recorded() == []


@PATHS
@pytest.mark.parametrize(
    "body",
    [
        BODY,
        b"2;name=value\r\n{}\r\n0\r\n\r\n",
        b'1;a="b"\r\n{\r\n1\r\n}\r\n0;last\r\n\r\n',
        b"02\r\n{}\r\n000\r\n\r\n",
    ],
    ids=repr,
)
async def test_chunks_as_http_allows_them_are_taken(
    visitor: Visitor, path: str, body: bytes
) -> None:
    line = await visitor.say(visitor.head(path, [CHUNKED]) + body + visitor.call())

    assert [(await line.hear()).status for _ in range(2)] == [200, 200]
    assert len(await visitor.site.recorded()) == 2


@PATHS
@pytest.mark.parametrize("trailer", ["requestToken", "Authorization", "X-Forwarded-For"])
async def test_fields_behind_the_body_count_for_nothing(
    visitor: Visitor, path: str, trailer: str
) -> None:
    """A proxy that judges heads does not see them: RFC 9110, section 6.5.1."""
    value = f"Bearer {visitor.token}" if trailer == "Authorization" else visitor.token
    head = visitor.head(path, [CHUNKED]).replace(b"requestToken", b"X-Nothing")
    line = await visitor.say(head + b"2\r\n{}\r\n0\r\n" + f"{trailer}: {value}\r\n\r\n".encode())

    assert (await line.hear()).status == 401


@PATHS
async def test_what_was_well_formed_is_answered_before_nonsense_ends_the_connection(
    visitor: Visitor, path: str
) -> None:
    """A 400 in its place would tell the caller that a recorded request was not."""
    line = await visitor.say(visitor.call(path=path) * 3 + b"NONSENSE\r\n\r\n" + visitor.call())
    replies = await line.hear_all()

    assert [reply.status for reply in replies] == [200, 200, 200]
    assert replies[-1].header("connection") == "close"
    assert len(await visitor.site.recorded()) == 3


async def test_nonsense_in_a_body_is_never_answered_in_the_place_of_another_call(
    visitor: Visitor,
) -> None:
    broken = visitor.head(USUAL, [CHUNKED]) + b"zz\r\n"
    line = await visitor.say(visitor.call() * 2 + broken)
    replies = await line.hear_all()

    assert [reply.status for reply in replies] in ([], [200], [200, 200])


@PATHS
@pytest.mark.parametrize("upgrade", ["h2c", "websocket"])
async def test_whoever_offers_another_protocol_is_served_in_this_one(
    visitor: Visitor, path: str, upgrade: str
) -> None:
    """Java's client offers HTTP/2 with its first request and goes on as it was answered."""
    offer = ["Connection: Upgrade, HTTP2-Settings", f"Upgrade: {upgrade}", "HTTP2-Settings: AAMA"]
    offered = visitor.call(b'{"email":"ada@example.com"}', path, offer)
    line = await visitor.say(offered * 2 + visitor.call(), offered)

    assert [(await line.hear()).status for _ in range(4)] == [200] * 4
    emails = [row["email"] for row in await visitor.site.recorded()]
    assert sorted(emails, key=str) == [None] + ["ada@example.com"] * 3


async def test_an_offer_does_not_hide_what_it_stands_beside(visitor: Visitor) -> None:
    offer = ["Connection: Upgrade, close", "Upgrade: h2c"]
    line = await visitor.say(visitor.call(more=offer) + visitor.call())
    (reply,) = await line.hear_all()

    assert (reply.status, reply.header("connection")) == (200, "close")
    smuggled = visitor.head(more=[*offer, CHUNKED, "Content-Length: 2"])
    assert_refused(await (await visitor.say(smuggled + BODY)).hear_all())


async def test_an_offer_in_pieces_is_put_together(visitor: Visitor) -> None:
    offer = ["Connection: Upgrade", "Upgrade: h2c"]
    request = visitor.call(b'{"email":"ada@example.com"}', more=offer)
    line = await visitor.say(*(request[at : at + 7] for at in range(0, len(request), 7)))

    assert (await line.hear()).status == 200
    assert [row["email"] for row in await visitor.site.recorded()] == ["ada@example.com"]


async def test_a_tunnel_is_refused(visitor: Visitor) -> None:
    line = await visitor.say(b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n" + visitor.call())

    assert_refused(await line.hear_all())


@pytest.mark.parametrize(
    "request_",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
        b"GET / http/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a\x01b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
        b"\x00\x00\x00",
    ],
    ids=repr,
)
async def test_what_is_no_request_is_refused(visitor: Visitor, request_: bytes) -> None:
    line = await visitor.say(request_)

    assert_refused(await line.hear_all())
