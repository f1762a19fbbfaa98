"""What one connection may take up: trailers, waiting requests, answers that nobody fetches."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from authreset.web.protocol import LONGEST_MESSAGE, LOOKS_UNREAD, MOST_PIPELINED
from tests.hostile.raw import HOT, PATIENCE, USUAL, Visitor, visitor_of
from tests.support.site import Site

SOON = 0.3
"""Seconds that a client of `hasty` has for a whole request."""

PATHS = pytest.mark.parametrize("path", [HOT, USUAL], ids=["hot", "usual"])
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture
async def hasty(site: Site) -> AsyncIterator[Visitor]:
    async with visitor_of(site, request_seconds=SOON) as made:
        yield made


async def pour(visitor: Visitor, head: bytes, octets: bytes, most: int) -> int:
    """Send the same octets after a head until the connection ends; return how many went out."""
    line, sent = await visitor.say(head), 0
    with suppress(ConnectionError):
        while sent < most:
            await line.say(octets)
            sent += len(octets)
    return sent


@PATHS
@pytest.mark.parametrize("octets", [b"a: b\r\n" * 8192, b"x" * 65536], ids=["fields", "one field"])
async def test_trailer_without_end_is_cut(visitor: Visitor, path: str, octets: bytes) -> None:
    head = visitor.head(path, [CHUNKED]) + b"2\r\n{}\r\n0\r\nX: "
    most = 64 * LONGEST_MESSAGE

    assert await pour(visitor, head, octets, most) < most
    assert await visitor.is_served()


@PATHS
async def test_chunk_extension_without_end_is_cut(visitor: Visitor, path: str) -> None:
    most = 64 * LONGEST_MESSAGE

    assert await pour(visitor, visitor.head(path, [CHUNKED]) + b"2;", b"x" * 65536, most) < most


@PATHS
async def test_half_a_request_behind_a_whole_one_gets_no_more_time(
    hasty: Visitor, path: str
) -> None:
    line = await hasty.say(hasty.call(path=path) + hasty.call(path=path)[:-20])
    replies = await line.hear_all()

    assert [reply.status for reply in replies] == [200]


@PATHS
async def test_a_caller_who_sends_far_ahead_is_answered_in_order_up_to_a_bound(
    visitor: Visitor, path: str
) -> None:
    line = await visitor.say(visitor.call(path=path) * (4 * MOST_PIPELINED))
    replies = await line.hear_all()

    assert MOST_PIPELINED <= len(replies) < 4 * MOST_PIPELINED
    assert {reply.status for reply in replies} == {200}
    assert replies[-1].header("connection") == "close"
    assert len(await visitor.site.recorded()) == len(replies)


async def test_a_caller_who_fetches_no_answer_is_given_up(hasty: Visitor) -> None:
    """A closed window would otherwise keep answers in memory for as long as its owner likes."""
    request = b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n"
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(deaf, ("127.0.0.1", hasty.port))
    try:
        async with asyncio.timeout(PATIENCE + LOOKS_UNREAD * SOON):
            with suppress(ConnectionError):
                while True:
                    await loop.sock_sendall(deaf, request)
                    await asyncio.sleep(SOON / 10)
    finally:
        deaf.close()
    assert await hasty.is_served()


async def test_a_slow_reader_of_a_large_answer_gets_it_whole(hasty: Visitor) -> None:
    line = await hasty.open()
    await line.say(b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.sleep(3 * SOON)

    assert (await line.hear()).status == 200


async def test_nonsense_writes_no_line_into_the_log(
    visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    offer = ["Connection: Upgrade", "Upgrade: websocket"]
    with caplog.at_level(logging.DEBUG):
        for request in (b"NONSENSE\r\n\r\n", b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n"):
            await (await visitor.say(request)).hear_all()
        await (await visitor.say(visitor.call(more=offer))).hear()

    assert [one.getMessage() for one in caplog.records if "uvicorn" in one.name] == []
