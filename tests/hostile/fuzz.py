"""Mutates calls at random against the application in this process, octet by octet.

`python -m tests.hostile.fuzz --seconds 60 --seed 7` prints its seed and what was answered, and
ends with 1 at the first answer that the contract does not know.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uvicorn.server import ServerState

from authreset.hashing import HashingCost, PasswordHasher
from authreset.web.server import build_server
from tests.flows.processing import KEYS
from tests.hostile.raw import HOT, USUAL, without_their_own
from tests.hostile.seeds import BODIES, FIELDS, mutated
from tests.support.databases import (
    FakeClock,
    SeededBytes,
    SqliteDatabases,
    open_database,
    plant_tree,
)
from tests.support.recovery import Recovery
from tests.support.site import Site

PATIENCE = 10.0
SUCCESS = {"isSuccess": True, "responseText": "Success"}
Fields = Sequence[tuple[str, str]]


class Caller(asyncio.Transport):
    """A connection without a socket."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 50_000), "sockname": ("192.0.2.2", 80)})
        self.answer = b""
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.answer += data

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    abort = close

    def pause_reading(self) -> None:
        """Everything was read already."""

    resume_reading = pause_reading


class Deck:
    """Brings calls to the product's own HTTP protocol."""

    def __init__(self, site: Site, token: str) -> None:
        self.token = token
        self._config = build_server(site.parts).config
        self._config.load()
        self._state = ServerState()

    async def say(self, octets: bytes) -> bytes:
        """Return what is answered to these octets on a connection of their own."""
        protocol = self._config.http_protocol_class(self._config, self._state, {})
        protocol.connection_made(caller := Caller())
        protocol.data_received(octets)
        async with asyncio.timeout(PATIENCE):
            # The protocol tells nobody that it is done, so one has to look.
            while not caller.is_closed and _is_under_way(protocol):  # noqa: ASYNC110
                await asyncio.sleep(0)
        protocol.connection_lost(None)
        return caller.answer

    async def close(self) -> None:
        await asyncio.gather(*self._state.tasks)


def _is_under_way(protocol: Any) -> bool:
    cycle = protocol.cycle
    return cycle is not None and not cycle.response_complete and not cycle.more_body


@asynccontextmanager
async def open_deck(url: str) -> AsyncIterator[Deck]:
    """Serve a site over a fresh database."""
    database = open_database(url)
    async with database.begin() as tx:
        tree = await plant_tree(tx)
    hasher = PasswordHasher(HashingCost(memory_kib=64, passes=1))
    site = Site(Recovery(database, tree, KEYS, hasher, FakeClock(), SeededBytes()))
    deck = Deck(site, await site.add_token())
    yield deck
    await deck.close()
    await site.close()
    await database.close()
    hasher.close()


def request_of(path: str, fields: Fields, body: bytes) -> bytes:
    """Return a request whose frame is sound, whatever stands in it."""
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


async def both_ways(deck: Deck, fields: Fields, body: bytes) -> tuple[bytes, bytes]:
    """Return what the short way and the usual one answer, without what is an answer's own."""
    short, usual = [await deck.say(request_of(path, fields, body)) for path in (HOT, USUAL)]
    return _in_order(short), _in_order(usual)


def _in_order(answer: bytes) -> bytes:
    head, end, body = without_their_own(answer).partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    return b"\r\n".join([first, *sorted(lines)]) + end + body


def status_of(answer: bytes) -> int:
    """Return the status of the first answer, 0 where there is none."""
    return int(answer[9:12]) if answer else 0


def is_the_intakes(answer: bytes) -> bool:
    """Tell whether an answer is the intake's or the protocol's, and no page's or other call's."""
    head, _, body = answer.lower().partition(b"\r\n\r\n")
    return body != b"" and b"content-type: application/json" in head


def complaint_of(answer: bytes) -> str | None:
    """Say what is wrong with an answer to a call of the intake, or None."""
    head, end, rest = answer.partition(b"\r\n\r\n")
    status = status_of(answer)
    if not end or not 200 <= status < 500:
        return f"status {status}"
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    told = json.loads(rest[:length])
    return None if _has_shape(told, status) else f"{status} with {told}"


def _has_shape(told: Any, status: int) -> bool:
    if status == 200:
        return bool(told == SUCCESS)
    data = told.get("responseData", {})
    return (
        (told["isSuccess"], told["responseCode"]) == (False, status)
        and isinstance(told["responseText"], str)
        and all(isinstance(data[name], str) for name in ("explanation", "todoAction"))
    )


@dataclass
class Fuzzer:
    """One run from one seed."""

    deck: Deck
    chance: random.Random
    counts: Counter[str]

    async def step(self) -> str | None:
        """Send one mutated call and return what is wrong with its answer, or None."""
        fields, body = self._call()
        if self.chance.random() < 0.5:
            return await self._break_frame(request_of(HOT, fields, body))
        short, usual = await both_ways(self.deck, fields, body)
        self.counts[f"framed {status_of(short)}"] += 1
        if short != usual:
            return f"two answers to {fields} {body!r}: {short!r} and {usual!r}"
        return self._judge(short, f"{fields} {body!r}")

    async def _break_frame(self, octets: bytes) -> str | None:
        sent = mutated(octets, self.chance)
        answer = await self.deck.say(sent)
        self.counts[f"broken {status_of(answer)}"] += 1
        if is_the_intakes(answer):
            return self._judge(answer, repr(sent))
        # The rest was still to come, or the request became one for something else.
        return f"{answer!r} to {sent!r}" if status_of(answer) >= 500 else None

    def _judge(self, answer: bytes, sent: str) -> str | None:
        complaint = complaint_of(answer)
        return None if complaint is None else f"{complaint} to {sent}"

    def _call(self) -> tuple[Fields, bytes]:
        chance = self.chance
        fields = [("Host", "x"), ("Content-Type", "application/json")]
        if chance.random() < 0.8:
            fields.append(("requestToken", self.deck.token))
        for _ in range(chance.randrange(3)):
            name, value = chance.choice(FIELDS)
            fields.append((name, _visible(mutated(value.encode("latin-1"), chance))))
        body = chance.choice(BODIES)
        return fields, mutated(body, chance) if chance.random() < 0.8 else body


def _visible(octets: bytes) -> str:
    """Leave out what no value of a field may hold."""
    return bytes(one for one in octets if one >= 0x20 and one != 0x7F).decode("latin-1").strip(" ")


async def fuzz(seconds: float, seed: int, url: str) -> int:
    """Fuzz for so long, print what came, and return the program's exit status."""
    async with open_deck(url) as deck:
        fuzzer = Fuzzer(deck, random.Random(seed), Counter())
        until, complaint = time.monotonic() + seconds, None
        while complaint is None and time.monotonic() < until:
            complaint = await fuzzer.step()
    counts = ", ".join(f"{name}: {count}" for name, count in sorted(fuzzer.counts.items()))
    print(f"seed {seed}, {fuzzer.counts.total()} calls, {counts}")
    print(complaint or "no complaint")
    return int(complaint is not None)


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="authreset-fuzz-") as name:
        url = SqliteDatabases(Path(name)).make()
        return asyncio.run(fuzz(given.seconds, given.seed, url))


if __name__ == "__main__":
    sys.exit(main())
