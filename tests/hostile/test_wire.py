"""Connections that only take room or time: each is cut, and others are served meanwhile."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from authreset.web.protocol import LONGEST_BODY
from tests.hostile.raw import HOT, USUAL, Line, Visitor, visitor_of
from tests.support.site import Site

SOON = 0.5
"""Seconds that a client here has for a whole request."""
CROWD = 4000
CROWD_SECONDS = 8.0
BYTES_A_CONNECTION = 24 * 1024

PATHS = pytest.mark.parametrize("path", [HOT, USUAL], ids=["hot", "usual"])


@pytest.fixture
async def hasty(site: Site) -> AsyncIterator[Visitor]:
    async with visitor_of(site, request_seconds=SOON) as made:
        yield made


async def trickle(line: Line, octets: bytes) -> int:
    """Send octet by octet until the other side ends the connection; return how many went out."""
    ending = asyncio.create_task(line.hear_all())
    for sent in range(len(octets)):
        if ending.done():
            assert await ending == []
            return sent
        with suppress(ConnectionError):
            await line.say(octets[sent : sent + 1])
        await asyncio.wait([ending], timeout=SOON / 20)
    ending.cancel()
    return len(octets)


class TestSlowCallers:
    @PATHS
    async def test_body_that_trickles_gets_no_more_time_and_is_not_recorded(
        self, hasty: Visitor, path: str
    ):
        whole = hasty.call(b'{"email":"ada@example.com"%s}' % (b" " * 200), path)
        head = whole.index(b"\r\n\r\n") + 4
        line = await hasty.say(whole[:head])
        assert await trickle(line, whole[head:]) < len(whole) - head
        assert await hasty.site.recorded() == []

    async def test_others_are_served_while_fifty_trickle(self, hasty: Visitor):
        lines = [await hasty.open() for _ in range(50)]
        call = hasty.call(b"{}" + b" " * 300)
        trickling = asyncio.gather(*(trickle(line, call) for line in lines))
        served = 0
        while not trickling.done():
            served += await hasty.is_served()
        assert all(sent < len(call) for sent in await trickling)
        assert served == len(await hasty.site.recorded())
        assert served > 10

    @PATHS
    async def test_chunks_without_end_are_cut_by_size(self, visitor: Visitor, path: str):
        line = await visitor.say(visitor.head(path, ("Transfer-Encoding: chunked",)))
        sent = 0
        with suppress(ConnectionError):
            while sent < 64 * LONGEST_BODY:
                await line.say(b"4000\r\n", b" " * 0x4000, b"\r\n")
                sent += 0x4000
        assert sent < 64 * LONGEST_BODY
        assert await visitor.is_served()
        assert len(await visitor.site.recorded()) == 1

    @PATHS
    async def test_small_chunks_without_end_are_cut_by_time(self, hasty: Visitor, path: str):
        line = await hasty.say(hasty.head(path, ("Transfer-Encoding: chunked",)))
        assert await trickle(line, b"1\r\n \r\n" * 100) < 600
        assert await hasty.site.recorded() == []


class TestHalfOpen:
    @pytest.mark.parametrize("part", ["nothing", "half a head", "no body", "half a body"])
    @PATHS
    async def test_whoever_ends_early_is_let_go_and_not_recorded(
        self, visitor: Visitor, path: str, part: str
    ):
        call = visitor.call(b'{"email":"ada@example.com"}', path)
        head = call.index(b"\r\n\r\n") + 4
        kept = {"nothing": 0, "half a head": 40, "no body": head, "half a body": head + 9}[part]
        line = await visitor.say(call[:kept])
        line.finish()
        assert [one for one in await line.hear_all() if one.status == 200] == []
        assert await visitor.site.recorded() == []
        assert await visitor.is_served()


class TestManyAtOnce:
    async def test_idle_thousands_are_let_go_while_others_are_served(self, site: Site):
        """CROWD connections stay silent, twice as many descriptors as both ends are ours."""
        _allow_descriptors(2 * CROWD + 500)
        async with visitor_of(site, request_seconds=CROWD_SECONDS) as visitor:
            assert await visitor.is_served()
            before = _resident_bytes()
            crowd = await _connect(visitor.port, CROWD)
            try:
                served = [await visitor.is_served() for _ in range(20)]
                assert served == [True] * 20
                assert _resident_bytes() - before < CROWD * BYTES_A_CONNECTION
                async with asyncio.timeout(4 * CROWD_SECONDS):
                    ends = await asyncio.gather(*(_end_of(one) for one in crowd))
            finally:
                for one in crowd:
                    one.close()
            assert ends == [b""] * CROWD
            assert await visitor.is_served()

    @PATHS
    async def test_pipelined_calls_are_recorded_and_answered_in_order(
        self, visitor: Visitor, path: str
    ):
        emails = [f"user{n}@example.com" for n in range(60)]
        line = await visitor.open()
        sending = asyncio.create_task(
            line.say(
                b"".join(visitor.call(b'{"email":"%s"}' % one.encode(), path) for one in emails)
            )
        )
        replies = [await line.hear() for _ in emails]
        await sending
        assert {one.status for one in replies} == {200}
        rows = {str(row["id"]): row["email"] for row in await visitor.site.recorded()}
        assert [rows[str(one.header("x-request-id"))] for one in replies] == emails


def _allow_descriptors(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard >= count, f"ulimit -Hn is {hard}, below {count}"
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def _resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


async def _connect(port: int, count: int) -> list[socket.socket]:
    loop, crowd = asyncio.get_running_loop(), [socket.socket() for _ in range(count)]
    for start in range(0, count, 50):
        for one in crowd[start : start + 50]:
            one.setblocking(False)
            await loop.sock_connect(one, ("127.0.0.1", port))
    return crowd


async def _end_of(connection: socket.socket) -> bytes:
    try:
        return await asyncio.get_running_loop().sock_recv(connection, 1)
    except ConnectionResetError:
        return b""
