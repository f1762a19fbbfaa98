"""What uvicorn lacks: bounds in size and time, and a short way that keeps the order of answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from uvicorn.server import ServerState

from authreset.web.protocol import LONGEST_BODY, LONGEST_HEAD
from authreset.web.reading import LONGEST_BODY as LONGEST_CALL
from authreset.web.server import build_server
from tests.support.site import Site
from tests.web.serving import served

REFUSAL = b'{"isSuccess":false,"responseCode":400,'
CLOSED = b""
SOON = 0.3
"""Seconds that these tests give a client for a whole request."""


class Line:
    """A connection on which a test says whatever it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, *parts: bytes) -> None:
        self._writer.write(b"".join(parts))
        await self._writer.drain()

    async def hear(self) -> tuple[int, dict[str, str], bytes]:
        """Return the next answer: status, headers, body."""
        head = await self._read(self._reader.readuntil(b"\r\n\r\n"))
        first, *lines = head.decode("latin-1").rstrip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
        body = await self._read(self._reader.readexactly(int(headers.get("content-length", 0))))
        return int(first.split()[1]), headers, body

    async def hear_end(self) -> bytes:
        """Return what still comes until the connection is closed."""
        return await self._read(self._reader.read())

    async def _read(self, reading):
        try:
            return await asyncio.wait_for(reading, 20)
        except ConnectionResetError:
            return CLOSED

    def hang_up(self) -> None:
        self._writer.transport.abort()


class Exchange:
    """Opens lines to one site."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lines: list[Line] = []

    async def open(self) -> Line:
        self._lines.append(Line(*await asyncio.open_connection("127.0.0.1", self._port)))
        return self._lines[-1]

    def close(self) -> None:
        for line in self._lines:
            line.hang_up()


@asynccontextmanager
async def exchange_of(site: Site, **options: Any) -> AsyncIterator[Exchange]:
    async with served(site.parts, **options) as port:
        exchange = Exchange(port)
        try:
            yield exchange
        finally:
            exchange.close()


@pytest.fixture
def url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
async def exchange(site: Site) -> AsyncIterator[Exchange]:
    async with exchange_of(site) as opened:
        yield opened


@pytest.fixture
async def hasty(site: Site) -> AsyncIterator[Exchange]:
    async with exchange_of(site, request_seconds=SOON) as opened:
        yield opened


@pytest.fixture
async def token(site: Site) -> str:
    return await site.add_token()


def call(token: str, body: bytes = b"{}", path: str = "/api/User/authreset", **extra: str) -> bytes:
    headers = {
        "Host": "x",
        "requestToken": token,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    } | {name.replace("_", "-"): value for name, value in extra.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def assert_refused(status: int, headers: dict[str, str], body: bytes) -> None:
    assert status == 400
    assert headers["connection"] == "close"
    assert body.startswith(REFUSAL)


class TestSizes:
    @pytest.mark.parametrize("pieces", [1, 7])
    async def test_head_over_its_bound_is_refused_however_it_arrives(
        self, exchange, token, site, pieces
    ):
        request = call(token, Padding="x" * LONGEST_HEAD)
        line = await exchange.open()
        size = -(-len(request) // pieces)
        for start in range(0, len(request), size):
            await line.say(request[start : start + size])
            await asyncio.sleep(0)
        assert_refused(*await line.hear())
        assert await line.hear_end() == CLOSED
        assert await site.recorded() == []

    async def test_head_without_end_is_refused(self, exchange):
        line = await exchange.open()
        await line.say(b"GET / HTTP/1.1\r\n", b"x: y\r\n" * (LONGEST_HEAD // 6 + 1))
        assert_refused(*await line.hear())

    async def test_one_field_without_end_is_refused(self, exchange):
        line = await exchange.open()
        await line.say(b"GET / HTTP/1.1\r\nx: ", b"y" * LONGEST_HEAD)
        assert_refused(*await line.hear())

    async def test_address_over_the_bound_is_refused(self, exchange):
        line = await exchange.open()
        await line.say(b"GET /", b"a" * LONGEST_HEAD, b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert_refused(*await line.hear())

    async def test_head_below_its_bound_is_taken(self, exchange, token):
        line = await exchange.open()
        await line.say(call(token, Padding="x" * (LONGEST_HEAD - 1000)))
        assert (await line.hear())[0] == 200

    async def test_large_body_behind_a_small_head_is_no_large_head(self, exchange, token):
        line = await exchange.open()
        await line.say(call(token, b"{}" + b" " * (LONGEST_CALL - 2)))
        assert (await line.hear())[0] == 200

    async def test_body_is_cut_off_far_below_what_was_announced(self, exchange, token):
        line = await exchange.open()
        announced = call(token, b"", Content_Length=str(10**12))
        await line.say(announced)
        sent = 0
        try:
            while sent < 64 * LONGEST_BODY:
                await line.say(b" " * 65536)
                sent += 65536
        except ConnectionError:
            pass
        assert sent < 64 * LONGEST_BODY

    async def test_absurd_length_is_refused(self, exchange, token):
        line = await exchange.open()
        await line.say(call(token, b"", Content_Length="9" * 400))
        assert_refused(*await line.hear())

    @pytest.mark.parametrize("path", ["/api/User/authreset", "/api//User/authreset"])
    async def test_length_of_more_digits_than_a_number_may_have_is_no_fault_of_ours(
        self, exchange, token, path
    ):
        """It is small all the same, and Python reads no number of so many digits."""
        line = await exchange.open()
        await line.say(call(token, b"{}", path, Content_Length="0" * 5000 + "2"))
        status, headers, _ = await line.hear()
        assert (status in (200, 400), headers["content-type"]) == (True, "application/json")


class TestTimes:
    async def test_silent_connection_is_closed(self, hasty):
        line = await hasty.open()
        assert await line.hear_end() == CLOSED

    async def test_slow_head_is_closed(self, hasty):
        line = await hasty.open()
        await line.say(b"POST /api/User/authreset HTTP/1.1\r\nHost: x\r\nX-A")
        assert await line.hear_end() == CLOSED

    async def test_head_that_trickles_gets_no_more_time(self, hasty):
        line = await hasty.open()
        ending = asyncio.create_task(line.hear_end())
        await line.say(b"GET / HTTP/1.1\r\nX: ")
        trickled = 0
        while not ending.done() and trickled < 200:
            with suppress(ConnectionError):
                await line.say(b"y")
            trickled += 1
            await asyncio.wait([ending], timeout=SOON / 10)
        assert ending.done(), "the line stayed open as long as it trickled"
        assert await ending == CLOSED

    async def test_slow_body_is_closed_and_not_recorded(self, hasty, token, site):
        line = await hasty.open()
        await line.say(call(token, b'{"email":', Content_Length="100"))
        assert await line.hear_end() == CLOSED
        assert await site.recorded() == []

    async def test_idle_connection_between_requests_stays(self, hasty, token):
        line = await hasty.open()
        await line.say(call(token))
        assert (await line.hear())[0] == 200
        _, pending = await asyncio.wait(
            [ending := asyncio.create_task(line.hear_end())], timeout=3 * SOON
        )
        assert ending in pending
        ending.cancel()

    async def test_connection_on_which_no_more_comes_is_closed(self, site, token):
        async with exchange_of(site, request_seconds=SOON, keep_alive_seconds=0) as exchange:
            line = await exchange.open()
            await line.say(call(token))
            assert (await line.hear())[0] == 200
            assert await line.hear_end() == CLOSED


class TestForms:
    @pytest.mark.parametrize(
        "request_",
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # somebody speaks TLS
            b"nonsense\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            b"POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ],
    )
    async def test_what_is_no_http_gets_the_contracts_error_and_no_second_chance(
        self, exchange, request_
    ):
        line = await exchange.open()
        await line.say(request_)
        assert_refused(*await line.hear())
        assert await line.hear_end() == CLOSED

    async def test_smuggled_second_request_is_not_served(self, exchange, token, site):
        line = await exchange.open()
        smuggled = call(token)
        both = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"
        await line.say(f"POST / HTTP/1.1\r\nHost: x\r\n{both}\r\n".encode(), b"0\r\n\r\n", smuggled)
        assert_refused(*await line.hear())
        assert await site.recorded() == []

    async def test_upgrade_to_another_protocol_is_not_followed(self, exchange, token):
        line = await exchange.open()
        await line.say(call(token, Connection="Upgrade", Upgrade="websocket"))
        assert (await line.hear())[0] == 200


class DeafCaller(asyncio.Transport):
    """A connection whose far end reads nothing: what is written only piles up."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__({"peername": ("192.0.2.1", 50_000), "sockname": ("192.0.2.2", 80)})
        self._protocol = protocol
        self.unread = 0
        self.is_read_from = True
        self._is_closed = False
        protocol.connection_made(self)

    def write(self, data):
        self.unread += len(data)
        if self.unread > 64 * 1024 and not self._is_closed:
            self._protocol.pause_writing()

    def pause_reading(self):
        self.is_read_from = False

    def resume_reading(self):
        self.is_read_from = True

    def is_closing(self):
        return self._is_closed

    def close(self):
        self._is_closed = True


ENVELOPE = b"POST /api/nothing HTTP/1.1\r\nX-Note: "


def kinds_of_call(token: str) -> list[bytes]:
    """The first two have heads of the same octets, and those after them nearly."""
    one, other, longer = b'{"email":"a@b.de"}', b'{"email":"b@c.de"}', b'{"email": "a@b.de"}'
    chunked = call(token, one).replace(b"Content-Length: 18", b"Transfer-Encoding: chunked")
    return [
        call(token, one),
        call(token, other),
        call(token, longer),
        call(token, b"\r\n\r\n" + one[:1] + one[5:]),
        call(token, b'{"email":1}       '),
        call(token),
        call("garbage", one),
        call(token[:-1] + ("x" if token.endswith("y") else "y"), one),
        call(token, one) + b"\r\n",
        b"\r\n" + call(token, one),
        chunked[: -len(one)] + b"12\r\n" + one + b"\r\n0\r\n\r\n",
        call(token, one, Origin="https://example.com"),
        call(token, one, "/api/nothing"),
        call(token, one, "/api//User/authreset"),
        ENVELOPE + call(token, one),
    ]


async def answers_to(line: Line, pieces: list[bytes], count: int) -> list[tuple[Any, ...]]:
    """Send piece by piece, and return so many answers without what is their own."""
    for piece in pieces:
        await line.say(piece)
        for _ in range(5):  # the other side of the loop reads it by then
            await asyncio.sleep(0)
    return [without_its_own(*await line.hear()) for _ in range(count)]


def without_its_own(status: int, headers: dict[str, str], body: bytes) -> tuple[Any, ...]:
    own = ("x-request-id", "date")
    return status, {name: value for name, value in headers.items() if name not in own}, body


class TestTheShortWay:
    """The hot call is served without a task; connections must not notice."""

    async def test_connection_is_used_again(self, exchange, token, site):
        line = await exchange.open()
        for _ in range(20):
            await line.say(call(token))
            assert (await line.hear())[0] == 200
        assert len(await site.recorded()) == 20

    async def test_pipelined_calls_are_answered_in_their_order(self, exchange, token, site):
        line = await exchange.open()
        calls = [
            call(token),
            call("garbage"),
            call(token, path="/api/nothing"),
            call(token, b'{"email": 1}'),
            call(token, path="/api//User/authreset"),
            call(token),
        ]
        await line.say(*calls)
        statuses = [(await line.hear())[0] for _ in calls]
        assert statuses == [200, 401, 404, 400, 200, 200]
        assert len(await site.recorded()) == 3

    async def test_calls_in_small_pieces_are_put_together(self, exchange, token, site):
        line = await exchange.open()
        for place in range(0, len(request := call(token, b'{"email":"ada@example.com"}')), 5):
            await line.say(request[place : place + 5])
            await asyncio.sleep(0)
        assert (await line.hear())[0] == 200
        (row,) = await site.recorded()
        assert row["email"] == "ada@example.com"

    async def test_a_call_after_others_is_answered_as_the_first_one_is(self, exchange, token, site):
        """However calls are joined and cut, and however alike or unlike the one before was."""
        kinds, alone = kinds_of_call(token), []
        for request in kinds:
            alone += await answers_to(await exchange.open(), [request], 1)
        numbers = range(len(kinds))
        for one, other in [(n, m) for n in numbers for m in {0, 1, n}] + [(0, n) for n in numbers]:
            first, second = kinds[one], kinds[other]
            line = await exchange.open()
            for pieces, asked in (
                ([first], [one]),
                ([first], [one]),
                ([second], [other]),
                ([ENVELOPE, kinds[0]], [len(kinds) - 1]),
                ([first + second], [one, other]),
                ([first + second], [one, other]),
                ([first[:-5], first[-5:]], [one]),
                ([first[:-5], first[-5:]], [one]),
                ([first[:40], first[40:] + second], [one, other]),
                ([first[:40], first[40:]], [one]),
            ):
                assert await answers_to(line, pieces, len(asked)) == [alone[n] for n in asked]
            await line.say(first[40:])
            assert_refused(*await line.hear())
        assert {row["email"] for row in await site.recorded()} == {None, "a@b.de", "b@c.de"}

    async def test_both_ways_answer_alike(self, exchange, token):
        """The short way and the usual one, told apart by the second slash."""
        for body in (b"{}", b"[]", b'{"email": 1}'):
            answers = []
            for path in ("/api/User/authreset", "/api//User/authreset"):
                line = await exchange.open()
                await line.say(call(token, body, path))
                status, headers, content = await line.hear()
                headers.pop("x-request-id")
                answers.append((status, sorted(headers.items()), content))
            assert answers[0] == answers[1]

    async def test_close_is_answered_and_kept(self, exchange, token):
        line = await exchange.open()
        await line.say(call(token, Connection="close"))
        status, headers, _ = await line.hear()
        assert (status, headers["connection"]) == (200, "close")
        assert await line.hear_end() == CLOSED

    async def test_caller_who_reads_no_answer_is_not_read_from(self, site):
        """Answers that nobody fetches must not fill the memory, refusals least of all."""
        config = build_server(site.parts).config
        config.load()
        state = ServerState()
        caller = DeafCaller(protocol := config.http_protocol_class(config, state, {}))
        for _ in range(1000):
            if not caller.is_read_from:
                break
            protocol.data_received(call("garbage"))
            await asyncio.sleep(0)
        assert not caller.is_read_from
        assert caller.unread < 128 * 1024
        caller.close()
        protocol.connection_lost(None)
        await asyncio.gather(*state.tasks)

    async def test_old_http_is_answered_and_closed(self, exchange, token):
        line = await exchange.open()
        await line.say(call(token).replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert (await line.hear())[0] == 200
        assert await line.hear_end() == CLOSED

    async def test_whoever_asks_whether_to_go_on_is_told_to(self, exchange, token):
        request = call(token, b"{}", Expect="100-continue")
        line = await exchange.open()
        await line.say(request[:-2])
        assert (await line.hear())[0] == 100
        await line.say(request[-2:])
        assert (await line.hear())[0] == 200

    async def test_caller_who_hangs_up_after_asking_is_recorded_all_the_same(
        self, exchange, token, site
    ):
        line = await exchange.open()
        await line.say(call(token))
        line.hang_up()
        other = await exchange.open()
        await other.say(call(token))
        assert (await other.hear())[0] == 200
        assert 1 <= len(await site.recorded()) <= 2

    @pytest.mark.parametrize("path", ["/api/User/authreset", "/api//User/authreset"])
    async def test_caller_who_hangs_up_before_the_body_is_not_recorded(
        self, exchange, token, site, path
    ):
        """A request whose body never came must not be taken for one without a body."""
        line = await exchange.open()
        await line.say(call(token, b"", path, Content_Length="30"))
        line.hang_up()
        other = await exchange.open()
        await other.say(call(token))
        assert (await other.hear())[0] == 200
        assert len(await site.recorded()) == 1
