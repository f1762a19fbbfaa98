"""Floods: one mailbox gets no more mails than its limit, one caller no more answers than its own.

The clock is moved by hand through a whole day; database, intake, worker and SMTP are real.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

import pytest

from authreset.config import Settings
from authreset.hashing import PasswordHasher
from authreset.rules.limits import KeyedBuckets, Rate
from authreset.rules.networks import parse_networks
from authreset.rules.outcomes import RequestOutcome
from authreset.store.database import Database
from authreset.web.calls import Answer
from authreset.web.intake import IntakeCalls
from authreset.web.journal import Journal
from tests.flows.posting import PostOffice, post_office
from tests.flows.processing import Bench
from tests.support.databases import FakeClock
from tests.support.recovery import Recovery
from tests.support.site import Site

PROXY = "10.0.0.1"
REQUESTS, CLIENTS, ROUNDS = 100_000, 1_000, 288
ROUND = timedelta(days=1) / ROUNDS
SEED = 20261123

ELSEWHERE = "Jane.Doe@example.com"
GMAIL = ["janedoe@gmail.com", "jane.doe@gmail.com", "j.a.n.e.d.o.e@gmail.com"]
GMAIL += ["janedoe+news@gmail.com", "jane.doe@googlemail.com", "ja.nedoe+1@googlemail.com"]


@dataclass
class Town:
    """The intake behind a trusted proxy, a worker and a post office, by one clock."""

    bench: Bench
    site: Site
    office: PostOffice
    token: str

    def __post_init__(self) -> None:
        self.calls = self.calls_limited()

    def calls_limited(
        self, *, address: str = "600/60", token: str = "6000/60", trusted: str = "10.0.0.0/8"
    ) -> IntakeCalls:
        """Return the intake as it is wired, with the limits' clock moved by hand."""
        parts = replace(
            self.site.parts,
            settings=Settings(trusted_proxies=parse_networks(trusted)),
            limit_address=self._throttle(address),
            limit_token=self._throttle(token),
        )
        return IntakeCalls(parts, Journal(self.bench.clock.monotonic))

    def _throttle(self, text: str):
        rate = Rate(*map(int, text.split("/")))
        return KeyedBuckets(rate, rate.count, self.bench.clock.monotonic).take

    async def ask(self, email: str, *forwarded: str, peer: str = PROXY) -> Answer:
        """Call once."""
        return await self.calls.serve(self._headers(forwarded), body_of(email), peer)

    async def ask_all(self, asked: Sequence[tuple[str, str]]) -> Counter[int]:
        """Call for each address from each client at the same time, and count the answers."""
        answers = await asyncio.gather(*(self.ask(email, client) for email, client in asked))
        return Counter(answer.status for answer in answers)

    async def work(self) -> Counter[RequestOutcome]:
        """Settle what waits, and post every letter that comes of it."""
        outcomes: Counter[RequestOutcome] = Counter()
        await self.site.until_moved()
        while settled := await self.bench.settle():
            outcomes.update(one.outcome for one in settled)
        await self.office.post()
        return outcomes

    def _headers(self, forwarded: Sequence[str]) -> list[tuple[bytes, bytes]]:
        given = [(b"requesttoken", self.token.encode()), (b"content-type", b"application/json")]
        return given + [(b"x-forwarded-for", one.encode()) for one in forwarded]


def body_of(email: str) -> bytes:
    return b'{"email":"%s"}' % email.encode()


@pytest.fixture
async def town(database: Database, clock: FakeClock, hasher: PasswordHasher) -> AsyncIterator[Town]:
    bench = await Bench.set_up(database, clock)
    keys, random_bytes = bench.rules.keyring, bench.random_bytes
    site = Site(Recovery(database, bench.tree, keys, hasher, clock, random_bytes))
    async with post_office(bench) as office:
        yield Town(bench, site, office, await site.add_token())
    await site.close()


def spell(address: str, chance: random.Random) -> str:
    """Write an address in one of the ways that mean the same mailbox."""
    local, _, domain = address.partition("@")
    if domain in ("gmail.com", "googlemail.com"):
        local = "".join(sign + "." * (chance.random() < 0.3) for sign in local.replace(".", ""))
        local, domain = local.rstrip("."), chance.choice(("gmail.com", "googlemail.com"))
    if "+" not in local and chance.random() < 0.4:
        local += f"+{chance.choice(['a', 'news', str(chance.randrange(10**6)), 'a+b'])}"
    text = "".join(chance.choice((str.upper, str.lower))(sign) for sign in f"{local}@{domain}")
    return "".join(chance.choice((sign, sign, _wide(sign))) for sign in text)


def _wide(sign: str) -> str:
    return chr(ord(sign) + 0xFEE0) if sign.isalnum() else sign


def client(number: int) -> str:
    """Return one of many client addresses, each in a network of its own."""
    return f"198.51.{number // 250}.{number % 250 + 1}" if number % 2 else f"2001:db8:{number:x}::1"


async def flood(town: Town, addresses: Sequence[str]) -> Counter[RequestOutcome]:
    """Ask for one mailbox through a whole day; every request is answered with success."""
    chance = random.Random(SEED)
    outcomes: Counter[RequestOutcome] = Counter()
    for start in range(ROUNDS):
        count = len(range(start, REQUESTS, ROUNDS))
        asked = [
            # Half of all name a user as stored, or else most would name nobody.
            (
                one if chance.random() < 0.5 else spell(one, chance),
                client(chance.randrange(CLIENTS)),
            )
            for one in chance.choices(addresses, k=count)
        ]
        assert await town.ask_all(asked) == {200: count}
        outcomes += await town.work()
        town.bench.clock.advance(seconds=ROUND.total_seconds())
    return outcomes


def assert_within_limits(instants: Sequence[float]) -> None:
    """Five in any hour, twenty in any day, sixty seconds between two."""
    hour, day = 3600, 86400
    for at in instants:
        assert sum(at <= other < at + hour for other in instants) <= 5
        assert sum(at <= other < at + day for other in instants) <= 20
    assert all(after - before >= 60 for before, after in pairwise(instants))


class TestOneMailbox:
    async def test_a_day_of_a_hundred_thousand_requests_mails_twenty_times(self, town: Town):
        """The seed is SEED; six users have addresses that all reach one mailbox at Gmail."""
        for email in GMAIL:
            await town.bench.add_active_user(email)
        started = town.bench.clock()
        outcomes = await flood(town, GMAIL)
        assert outcomes.total() == REQUESTS
        letters = await town.bench.letters()
        assert 1 < len(letters) <= 20
        assert len(town.office.server.mails) == len(letters)
        assert_within_limits([row["created_at"].timestamp() for row in letters])
        assert outcomes[RequestOutcome.LIMITED] > REQUESTS / 2
        assert town.bench.clock() - started == timedelta(days=1)

    @pytest.mark.parametrize("stored", [[ELSEWHERE, "jane.doe+a@example.com"], GMAIL])
    async def test_many_spellings_of_one_mailbox_bring_one_mail(
        self, town: Town, stored: list[str]
    ):
        chance = random.Random(SEED)
        for email in stored:
            await town.bench.add_active_user(email)
        spelled = {*stored, *(spell(chance.choice(stored), chance) for _ in range(300))}
        assert len(spelled) > 250
        for one in sorted(spelled):
            assert (await town.ask(one)).status == 200
        await town.work()
        assert len(town.office.server.mails) == 1

    async def test_dots_make_another_mailbox_where_they_matter(self, town: Town):
        for one in ("jane.doe@example.com", "janedoe@example.com", "jane.doe@gmail.example"):
            await town.bench.add_active_user(one)
            assert (await town.ask(one)).status == 200
        await town.work()
        assert len(town.office.server.mails) == 3

    @pytest.mark.parametrize("email", [" a@example.com", "a@example.com ", "a @example.com"])
    async def test_white_space_makes_no_further_spelling(self, town: Town, email: str):
        assert (await town.ask(email)).status == 400
        assert await town.work() == {}


class TestOneCaller:
    @pytest.mark.parametrize("limited", ["address", "token"])
    async def test_is_told_how_long_to_wait_and_that_is_so(self, town: Town, limited: str):
        town.calls = town.calls_limited(**{limited: "10/60"})
        answers = [await town.ask("a@example.com", client(1)) for _ in range(15)]
        assert [one.status for one in answers] == [200] * 10 + [429] * 5
        wait = int(dict(answers[-1].headers)[b"retry-after"])
        assert 1 <= wait <= 60
        town.bench.clock.advance(seconds=wait - 2)
        assert (await town.ask("a@example.com", client(1))).status == 429
        town.bench.clock.advance(seconds=2)
        assert (await town.ask("a@example.com", client(1))).status == 200

    async def test_address_is_limited_whatever_token_it_tries(self, town: Town):
        town.calls = town.calls_limited(address="10/60")
        good, town.token = town.token, "o.guess"
        guessed = [(await town.ask("a@example.com", client(1))).status for _ in range(12)]
        assert guessed == [401] * 10 + [429] * 2
        town.token = good
        assert (await town.ask("a@example.com", client(1))).status == 429
        assert (await town.ask("a@example.com", client(2))).status == 200

    async def test_token_is_limited_wherever_it_is_used(self, town: Town):
        town.calls = town.calls_limited(token="10/60")
        statuses = await town.ask_all([("a@example.com", client(n)) for n in range(100)])
        assert statuses == {200: 10, 429: 90}

    async def test_what_was_refused_takes_nothing_from_the_token(self, town: Town):
        town.calls = town.calls_limited(token="10/60")
        assert await town.ask_all([("nonsense", client(n)) for n in range(50)]) == {400: 50}
        assert (await town.ask("a@example.com", client(1))).status == 200


class TestWhoTheCallerIs:
    async def flooded(
        self, town: Town, *forwarded: tuple[str, ...], peer: str = PROXY
    ) -> list[int]:
        """Call with each of these headers in turn, where three calls a minute are allowed."""
        town.calls = town.calls_limited(address="3/60")
        return [(await town.ask("a@example.com", *each, peer=peer)).status for each in forwarded]

    async def test_names_written_further_left_change_nothing(self, town: Town):
        written = [(f"{client(n)}, 203.0.113.7",) for n in range(6)]
        assert await self.flooded(town, *written) == [200] * 3 + [429] * 3

    async def test_line_of_ones_own_before_the_proxys_changes_nothing(self, town: Town):
        written = [(client(n), "203.0.113.7") for n in range(6)]
        assert await self.flooded(town, *written) == [200] * 3 + [429] * 3

    async def test_header_of_a_peer_that_is_not_trusted_changes_nothing(self, town: Town):
        written = [(client(n),) for n in range(6)]
        assert await self.flooded(town, *written, peer="192.0.2.9") == [200] * 3 + [429] * 3

    async def test_clients_behind_two_trusted_proxies_are_told_apart(self, town: Town):
        written = [(f"{client(n)}, 10.9.9.9",) for n in range(6)]
        assert await self.flooded(town, *written) == [200] * 6

    async def test_all_of_a_64_count_as_one(self, town: Town):
        written = [(f"2001:db8:1:2:{n:x}::{n + 1:x}",) for n in range(6)]
        assert await self.flooded(town, *written) == [200] * 3 + [429] * 3

    async def test_neighbouring_64s_count_apart(self, town: Town):
        written = [(f"2001:db8:1:{n:x}::1",) for n in range(6)]
        assert await self.flooded(town, *written) == [200] * 6

    async def test_forms_of_one_address_count_as_one(self, town: Town):
        forms = ("203.0.113.7", "::ffff:203.0.113.7", "::ffff:cb00:7107", " 203.0.113.7 ")
        assert await self.flooded(town, *((one,) for one in forms)) == [200] * 3 + [429]
