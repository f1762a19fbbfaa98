"""Limits that all processes share: one allowance over a real Redis, which may go and come."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from authreset.rules.limits import Rate
from authreset.shared_limits import ANSWER_SECONDS, PAUSE_SECONDS, SharedLimits
from authreset.web.intake import IntakeCalls
from authreset.web.journal import Journal
from tests.hostile.redis_server import RedisServer, redis_server
from tests.support.databases import FakeClock
from tests.support.site import Site

RATES = {"token": Rate(5, 60), "address": Rate(3, 60), "quick": Rate(4, 2), "off": None}
AT_ONCE = 0.2
"""Seconds in which whoever is refused a connection has an answer, on a busy machine too."""

Open = Callable[..., SharedLimits]


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
async def open_limits(redis: RedisServer, clock: FakeClock) -> AsyncIterator[Open]:
    """Make what one process has, as often as a test asks."""
    opened: list[SharedLimits] = []

    def make(scheme: str = "redis", answer_seconds: float = ANSWER_SECONDS) -> SharedLimits:
        url = f"{scheme}://{redis.location}"
        opened.append(SharedLimits(url, RATES, clock.monotonic, answer_seconds))
        return opened[-1]

    yield make
    for one in opened:
        await one.close()


@pytest.fixture
async def pair(open_limits: Open) -> tuple[SharedLimits, SharedLimits]:
    return open_limits(), open_limits()


async def taken(limits: SharedLimits, kind: str, key: str, count: int) -> int:
    """Take so often, and return how often that was allowed."""
    waits = [await limits.take(kind, key) for _ in range(count)]
    return waits.count(0.0)


class TestOneAllowance:
    async def test_two_processes_take_from_the_same(self, pair, request):
        first, second = pair
        key = request.node.name
        assert await taken(first, "token", key, 3) == 3
        assert await taken(second, "token", key, 10) == 2
        assert await taken(first, "token", key, 10) == 0

    async def test_race_hands_out_no_more_than_there_is(self, open_limits, request):
        # A store that is late lets calls go on, which is not what is looked at here.
        pair = [open_limits(answer_seconds=20.0) for _ in range(2)]
        waits = await asyncio.gather(
            *(pair[n % 2].take("token", request.node.name) for n in range(100))
        )
        assert waits.count(0.0) == 5

    async def test_kinds_and_keys_do_not_share(self, pair, request):
        key = request.node.name
        assert await taken(pair[0], "token", key, 9) == 5
        assert await taken(pair[1], "address", key, 9) == 3
        assert await taken(pair[1], "token", f"another {key}", 9) == 5

    async def test_kind_without_a_limit_asks_nobody(self, redis, open_limits):
        limits = open_limits()
        with capture_logs() as lines:
            redis.freeze()
            try:
                assert await taken(limits, "off", "key", 100) == 100
                assert await taken(limits, "unheard of", "key", 100) == 100
            finally:
                redis.thaw()
        assert lines == []

    async def test_whoever_waits_as_long_as_told_is_let_through(self, pair, request):
        key = request.node.name
        await taken(pair[0], "quick", key, 4)
        wait = await pair[1].take("quick", key)
        assert 0.0 < wait <= RATES["quick"].period_seconds
        await asyncio.sleep(wait)
        assert await pair[1].take("quick", key) == 0.0

    async def test_valkeys_scheme_reaches_the_same(self, open_limits, request):
        key = request.node.name
        assert await taken(open_limits("valkey"), "token", key, 9) == 5
        assert await taken(open_limits("redis"), "token", key, 9) == 0


class TestUrls:
    """Which class of connection a scheme leads to is the library's word; nothing is sent."""

    @pytest.mark.parametrize(
        ("url", "connection"),
        [
            ("redis://limits.test:6379", "Connection"),
            ("valkey://limits.test:6379", "Connection"),
            ("rediss://limits.test:6380", "SSLConnection"),
            ("valkeys://limits.test:6380", "SSLConnection"),
        ],
    )
    async def test_tls_is_used_where_the_scheme_ends_in_s(self, url, connection):
        limits = SharedLimits(url, RATES, time.monotonic)
        assert pool_of(limits).connection_class.__name__ == connection
        await limits.close()

    @pytest.mark.parametrize("scheme", ["redis", "rediss", "valkey", "valkeys"])
    async def test_name_password_host_port_and_database_are_read(self, scheme):
        limits = SharedLimits(f"{scheme}://limits:h%3Ash@[::1]:7000/3", RATES, time.monotonic)
        given = pool_of(limits).connection_kwargs
        expected = {"username": "limits", "password": "h:sh", "host": "::1", "port": 7000, "db": 3}
        assert {name: given[name] for name in expected} == expected
        await limits.close()


def pool_of(limits: SharedLimits):
    return limits._storage.bridge.storage.connection_pool


class TestServerThatGoesAndComes:
    async def test_calls_pass_at_once_while_it_is_away_and_count_again_afterwards(
        self, redis, pair, clock, request
    ):
        key = request.node.name
        for round_ in range(2):
            assert await taken(pair[0], "token", f"{key} {round_}", 9) == 5
            redis.stop()
            try:
                for limits in pair:
                    started = time.monotonic()
                    assert await taken(limits, "token", f"{key} {round_}", 20) == 20
                    assert time.monotonic() - started < 20 * AT_ONCE
            finally:
                redis.start()
            clock.advance(seconds=PAUSE_SECONDS)
            assert await taken(pair[1], "token", f"{key} {round_}", 9) == 5

    async def test_one_that_hangs_is_waited_for_less_than_a_second_by_all_at_once(
        self, redis, open_limits, clock, request
    ):
        limits = open_limits()
        await limits.take("token", request.node.name)
        redis.freeze()
        try:
            started = time.monotonic()
            waits = await asyncio.gather(*(limits.take("token", "k") for _ in range(100)))
            elapsed = time.monotonic() - started
        finally:
            redis.thaw()
        assert waits == [0.0] * 100
        assert elapsed < 1.5
        clock.advance(seconds=PAUSE_SECONDS)
        assert await taken(limits, "token", f"{request.node.name} again", 9) == 5

    async def test_one_that_hangs_is_asked_once_and_then_left_alone(
        self, redis, open_limits, request
    ):
        limits, key = open_limits(), request.node.name
        with hanging(redis):
            assert await seconds_of(limits, key) >= ANSWER_SECONDS
            started = time.monotonic()
            assert await taken(limits, "token", key, 200) == 200
            assert time.monotonic() - started < ANSWER_SECONDS

    async def test_after_the_pause_one_call_asks_and_all_others_go_on(
        self, redis, open_limits, clock, request
    ):
        limits, key = open_limits(), request.node.name
        with hanging(redis):
            await limits.take("token", key)
            for _ in range(2):
                clock.advance(seconds=PAUSE_SECONDS)
                first, *others = await asyncio.gather(*(seconds_of(limits, key) for _ in range(9)))
                assert first >= ANSWER_SECONDS
                assert max(others) < ANSWER_SECONDS

    async def test_one_that_is_back_is_not_asked_before_the_pause_is_over(
        self, redis, open_limits, clock, request
    ):
        limits, key = open_limits(), request.node.name
        with hanging(redis):
            await limits.take("token", key)
        clock.advance(seconds=PAUSE_SECONDS - 0.1)
        assert await taken(limits, "token", key, 20) == 20
        clock.advance(seconds=0.1)
        assert await taken(limits, "token", key, 20) <= 5

    async def test_probe_that_is_given_up_leaves_the_next_one_to_another_call(
        self, redis, open_limits, clock, request
    ):
        limits, key = open_limits(), request.node.name
        with hanging(redis):
            await limits.take("token", key)
            clock.advance(seconds=PAUSE_SECONDS)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(limits.take("token", key), ANSWER_SECONDS / 5)
        clock.advance(seconds=PAUSE_SECONDS)
        assert await taken(limits, "token", key, 20) <= 5

    async def test_each_call_that_went_on_without_it_is_counted(
        self, redis, open_limits, clock, request
    ):
        limits, key = open_limits(), request.node.name
        before = unasked()
        await taken(limits, "token", key, 9)
        assert unasked() == before
        with hanging(redis):
            await taken(limits, "token", key, 7)
            await taken(limits, "off", key, 7)
        assert unasked() == before + 7

    async def test_outage_is_told_once_and_names_no_secret(self):
        limits = SharedLimits("redis://:hush5@127.0.0.1:1/0", RATES, time.monotonic)
        with capture_logs() as lines:
            await taken(limits, "token", "o.secret-key", 50)
        await limits.close()
        assert [(line["event"], line["log_level"]) for line in lines] == [
            ("shared_limits_unavailable", "warning")
        ]
        assert "hush5" not in str(lines)
        assert "secret-key" not in str(lines)


@contextmanager
def hanging(redis: RedisServer) -> Iterator[None]:
    """Let the server hold its connections and answer nothing."""
    redis.freeze()
    try:
        yield
    finally:
        redis.thaw()


async def seconds_of(limits: SharedLimits, key: str) -> float:
    """Return how long a call that has to be let through waits for that."""
    started = time.monotonic()
    assert await limits.take("token", key) == 0.0
    return time.monotonic() - started


def unasked() -> float:
    return REGISTRY.get_sample_value("authreset_shared_limits_unasked_total") or 0.0


class TestCalls:
    """The same over HTTP: two sites, as two web processes are."""

    async def test_two_sites_share_one_allowance_and_tell_when_to_come_again(
        self, site: Site, pair, redis
    ):
        token = await site.add_token()
        sites = [calls_with(site, limits) for limits in pair]
        headers = [(b"requesttoken", token.encode())]
        answers = [await sites[n % 2].serve(headers, b"", f"192.0.2.{n}") for n in range(8)]
        assert [one.status for one in answers] == [200] * 5 + [429] * 3
        for refused in answers[5:]:
            assert 1 <= int(dict(refused.headers)[b"retry-after"]) <= 60
        assert len(await site.recorded()) == 5

    async def test_addresses_of_one_64_share_one_over_all_sites(self, site: Site, pair):
        token = await site.add_token()
        sites = [calls_with(site, limits) for limits in pair]
        headers = [(b"requesttoken", token.encode())]
        statuses = [
            (await sites[n % 2].serve(headers, b"", f"2001:db8:5:5::{n:x}")).status
            for n in range(6)
        ]
        assert statuses == [200] * 3 + [429] * 3

    async def test_outage_costs_no_call(self, site: Site):
        limits = SharedLimits("redis://127.0.0.1:1/0", RATES, time.monotonic)
        site.parts = replace(site.parts, shared_limits=limits)
        calls = IntakeCalls(site.parts, Journal(time.monotonic))
        headers = [(b"requesttoken", (await site.add_token()).encode())]
        statuses = [(await calls.serve(headers, b"", "192.0.2.1")).status for _ in range(20)]
        await limits.close()
        assert statuses == [200] * 20


def calls_with(site: Site, limits: SharedLimits) -> IntakeCalls:
    return IntakeCalls(replace(site.parts, shared_limits=limits), Journal(time.monotonic))
