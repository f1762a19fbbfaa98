"""The hot call under stress: many at once, a database that goes and comes, a full intake."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from sqlalchemy.engine import make_url
from structlog.testing import capture_logs

from authreset.config import Settings
from authreset.flows.accept_request import NewRequest
from authreset.flows.authenticate import REVOCATION_SECONDS, Authenticator
from authreset.hashing import PasswordHasher
from authreset.rules.networks import parse_networks
from authreset.store.tables import requests
from tests.flows.processing import rows_of
from tests.support.databases import FakeClock, SeededBytes, open_database, plant_tree
from tests.support.recovery import Recovery
from tests.support.site import Site
from tests.support.wire import Wire
from tests.web.serving import served
from tests.web.test_contract import KEYS, PATH, assert_refused

OTHER = "198.51.100.77"


@asynccontextmanager
async def client_of(site: Site, token: str) -> AsyncIterator[httpx.AsyncClient]:
    """Serve on a real port and yield a client with a token."""
    async with served(site.parts) as port:
        address, headers = f"http://127.0.0.1:{port}", {"requestToken": token}
        async with httpx.AsyncClient(base_url=address, headers=headers, timeout=30) as client:
            yield client


class TestManyAtOnce:
    async def test_each_is_recorded_once(self, site: Site):
        async with client_of(site, await site.add_token()) as client:
            emails = [f"user{n}@example.com" for n in range(100)]
            asked = (client.post(PATH, json={"email": email}) for email in emails)
            answers = await asyncio.gather(*asked)
        assert {one.status_code for one in answers} == {200}
        rows = await site.recorded()
        assert sorted(row["email"] for row in rows) == sorted(emails)
        ids = {str(row["id"]) for row in rows}
        assert ids == {one.headers["x-request-id"] for one in answers}

    async def test_good_and_bad_ones_get_each_its_own_answer(self, site: Site):
        async with client_of(site, await site.add_token()) as client:
            bodies = [{"email": "ada@example.com" if n % 3 else "nonsense"} for n in range(60)]
            answers = await asyncio.gather(*(client.post(PATH, json=one) for one in bodies))
        assert [one.status_code for one in answers] == [200 if n % 3 else 400 for n in range(60)]
        assert len(await site.recorded()) == 40


@pytest.fixture
async def wired(
    postgres_url: str, hasher: PasswordHasher, clock: FakeClock, random_bytes: SeededBytes
) -> AsyncIterator[tuple[Site, Wire]]:
    """Serve over a database at the end of a wire that can be cut."""
    async with Wire(make_url(postgres_url).port) as wire:
        database = open_database(str(make_url(postgres_url).set(port=wire.port)))
        async with database.begin() as tx:
            tree = await plant_tree(tx)
        site = Site(Recovery(database, tree, KEYS, hasher, clock, random_bytes))
        yield site, wire
        await site.close()
        await database.close()


class TestDatabaseThatGoesAndComes:
    async def test_calls_are_refused_meanwhile_and_taken_afterwards(self, wired):
        """A held connection must be made anew: the first crash must not mean refusals for ever."""
        site, wire = wired
        async with client_of(site, await site.add_token()) as client:
            assert (await client.post(PATH)).status_code == 200
            for _ in range(2):
                wire.cut()
                for _ in range(3):
                    refused = await client.post(PATH)
                    assert_refused(refused, 503)
                    assert int(refused.headers["retry-after"]) > 0
                wire.mend()
                assert (await client.post(PATH)).status_code == 200
        assert len(await site.recorded()) == 3

    async def test_token_that_must_be_looked_up_is_not_refused_for_good(self, wired):
        site, wire = wired
        async with client_of(site, await site.add_token()) as client:
            wire.cut()
            assert_refused(await client.post(PATH), 503)
            wire.mend()
            assert (await client.post(PATH)).status_code == 200

    async def test_token_at_hand_is_believed_for_seconds_and_no_longer(self, wired, clock):
        site, wire = wired
        async with client_of(site, await site.add_token()) as client:
            await client.post(PATH)
            wire.cut()
            clock.advance(seconds=REVOCATION_SECONDS + 1)
            assert_refused(await client.post(PATH), 503)

    async def test_all_under_way_are_answered_when_it_goes(self, wired):
        site, wire = wired
        async with client_of(site, await site.add_token()) as client:
            await client.post(PATH)
            calls = [asyncio.create_task(client.post(PATH)) for _ in range(60)]
            await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            wire.cut()
            answers = await asyncio.gather(*calls)
            wire.mend()
        statuses = [one.status_code for one in answers]
        assert set(statuses) <= {200, 503}
        acknowledged = {one.headers["x-request-id"] for one in answers if one.status_code == 200}
        await site.until_moved()
        rows = await rows_of(site.recovery.database, requests)
        assert acknowledged <= {str(row["id"]) for row in rows}


class TestFullIntake:
    async def test_is_told_at_once_and_with_a_time_to_come_again(self, site: Site):
        may_write = asyncio.Event()

        async def wait(_rows: object) -> None:
            await may_write.wait()

        full = Site(site.recovery, append=wait)
        for _ in range(10):  # in rounds, since flushes that begin make room
            fill(full)
            await asyncio.sleep(0)
        async with client_of(full, await full.add_token()) as client:
            answer = await client.post(PATH)
        assert_refused(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
        may_write.set()
        await full.close()


def fill(site: Site) -> None:
    """Hand in requests until no more are taken."""
    request = NewRequest(
        site.parts.new_id(), site.parts.clock(), "api", None, None, 1, 1, None, None
    )
    told: list[object] = []
    while not told:
        site.parts.intake.record_soon(request, told.append)


class TestWhereFrom:
    @pytest.mark.parametrize(
        ("trusted", "forwarded", "recorded"),
        [
            ("", "203.0.113.1", "127.0.0.1"),
            ("127.0.0.0/8", "203.0.113.1", "203.0.113.1"),
            ("127.0.0.0/8", "6.6.6.6, 203.0.113.1", "203.0.113.1"),
            ("127.0.0.0/8", "nonsense", "127.0.0.1"),
            ("10.0.0.0/8", "203.0.113.1", "127.0.0.1"),
        ],
    )
    async def test_header_is_believed_from_trusted_proxies_alone(
        self, site: Site, trusted, forwarded, recorded
    ):
        settings = Settings(trusted_proxies=parse_networks(trusted))
        behind = Site(site.recovery, settings=settings)
        async with client_of(behind, await behind.add_token()) as client:
            headers = {"X-Forwarded-For": forwarded}
            assert (await client.post(PATH, headers=headers)).status_code == 200
        (row,) = await behind.recorded()
        assert row["client_address"] == recorded
        await behind.close()

    async def test_limit_of_an_address_counts_the_client_behind_the_proxy(self, site: Site):
        settings = Settings(trusted_proxies=parse_networks("127.0.0.0/8"))
        behind = Site(site.recovery, settings=settings, limited={OTHER: 3.0})
        async with client_of(behind, await behind.add_token()) as client:
            headers = {"X-Forwarded-For": OTHER}
            assert_refused(await client.post(PATH, headers=headers), 429)
            assert (await client.post(PATH)).status_code == 200
        await behind.close()


class SharedAllowances:
    """Lets everything through and remembers whose allowance it was taken from."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []

    async def take(self, kind: str, key: str) -> float:
        self.taken.append((kind, key))
        return 0.0


class TestAllowancesOfAllProcesses:
    @pytest.mark.parametrize("by_session", [False, True])
    async def test_token_has_one_and_sessions_share_none(self, site: Site, by_session: bool):
        """One user who floods must not take the allowance of every other."""
        token = await (site.recovery.open_session() if by_session else site.add_token())
        shared = SharedAllowances()
        parts = replace(site.parts, shared_limits=shared)
        async with served(parts) as port, httpx.AsyncClient() as client:
            answer = await client.post(
                f"http://127.0.0.1:{port}{PATH}", headers={"requestToken": token}
            )
        assert answer.status_code == 200
        (row,) = await site.recorded()
        own = [] if by_session else [("token", str(row["token_id"]))]
        assert shared.taken == [("address", "127.0.0.1"), *own]


class TestSlowLookUps:
    @pytest.mark.parametrize("path", [PATH, "/api//User/authreset"])
    async def test_answer_older_than_it_may_be_ends_a_call_all_the_same(self, site: Site, path):
        """A look-up that takes longer than its answer stays fresh must not be made for ever."""
        seconds = iter(range(0, 10_000, 60))
        recovery = site.recovery
        forgetful = Authenticator(
            intake=recovery.database,
            main=recovery.database,
            keyring=recovery.keyring,
            clock=recovery.clock,
            monotonic=lambda: next(seconds),
        )
        site.parts = replace(site.parts, authenticator=forgetful)
        async with client_of(site, await site.add_token()) as client:
            body = {"entry": "8cfec329267", "entryType": 2}
            async with asyncio.timeout(20):
                assert (await client.post(path, json=body)).status_code == 200


class TestQuiet:
    async def test_accepted_calls_write_nothing_to_the_log(self, site: Site):
        async with client_of(site, await site.add_token()) as client:
            with capture_logs() as lines:
                for _ in range(10):
                    await client.post(PATH, json={"email": "ada@example.com"})
        assert lines == []
