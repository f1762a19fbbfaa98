"""The callers: a steady stream of calls from a thread of its own, each noted with its answer.

Who is asked for, and when, comes from the seed; what is made of the answers lives in `audit`.
"""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from drill.ledgers import Call, Person, address

PATH = "/api/User/authreset"
GIVE_UP_SECONDS = 15.0
SHARES = {Person.MEMBER: 80, Person.REFUSED: 2, Person.ASLEEP: 3, Person.NOBODY: 5}
REPEATS = 10
RECENT = 150
"""A repeat asks again for one of so many who were asked for last."""


@dataclass(frozen=True, slots=True)
class Target:
    """A program that takes calls. `is_starting`: whether it has not been ready yet."""

    name: str
    url: str
    is_starting: Callable[[], bool]


@dataclass
class Asking:
    """Decides whom each call is about. Every member is new until all have been asked for."""

    chance: random.Random
    sizes: Mapping[Person, int]
    _next: dict[Person, int] = field(default_factory=dict)
    _recent: list[str] = field(default_factory=list)

    def __call__(self) -> str:
        """Return the address that the next call names."""
        if self._recent and self.chance.randrange(100) < REPEATS:
            return self.chance.choice(self._recent)
        person = self.chance.choices(list(SHARES), list(SHARES.values()))[0]
        number = self._next.get(person, 0)
        self._next[person] = number + 1
        email = address(person, number % self.sizes[person])
        if person is Person.MEMBER:
            self._recent = [*self._recent[-RECENT + 1 :], email]
        return email


class Callers:
    """Calls at a rate (a second), whatever becomes of the calls before; a context manager."""

    def __init__(
        self,
        *,
        targets: list[Target],
        token: str,
        entry: str,
        rate: float,
        asking: Asking,
        chance: random.Random,
    ) -> None:
        self._targets = targets
        self._headers = {"requestToken": token}
        self._entry = entry
        self._rate = rate
        self._asking = asking
        self._chance = chance
        self._calls: list[Call] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> "Callers":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Begin no more calls; return when those under way have ended."""
        self._stop.set()
        self._thread.join()

    def calls(self) -> list[Call]:
        """Return the calls that have ended."""
        return self._calls.copy()

    def has_success(self, target: str, since: float) -> bool:
        """Tell whether a call begun after that instant was acknowledged by that program."""
        return any(
            one.is_acknowledged and one.serve == target and one.sent_at > since
            for one in reversed(self._calls)
        )

    async def _run(self) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        async with httpx.AsyncClient(timeout=GIVE_UP_SECONDS, limits=limits) as client:
            tasks: set[asyncio.Task[None]] = set()
            due = time.monotonic()
            while not self._stop.is_set():
                task = asyncio.create_task(self._ask(client, self._asking()))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                due += self._chance.expovariate(self._rate)
                await asyncio.sleep(max(due - time.monotonic(), 0))
            await asyncio.gather(*tasks)

    async def _ask(self, client: httpx.AsyncClient, email: str) -> None:
        """Call for somebody; half of those who get no 200 try again, as the SDKs do."""
        is_patient = self._chance.random() < 0.5
        for pause in (0.5, 1.0, 2.0, 4.0):
            call = await self._call(client, self._chance.choice(self._targets), email)
            self._calls.append(call)
            if call.is_acknowledged or not is_patient or self._stop.is_set():
                return
            await asyncio.sleep(pause)

    async def _call(self, client: httpx.AsyncClient, target: Target, email: str) -> Call:
        is_starting, sent_at, begun = target.is_starting(), time.time(), time.monotonic()
        body = {"email": email, "entry": self._entry, "entryType": 0}
        answer, was_sent = None, True
        try:
            answer = await client.post(target.url + PATH, json=body, headers=self._headers)
        except httpx.ConnectError:
            was_sent = False
        except httpx.TransportError:
            pass  # cut: whether it was recorded, the caller cannot know
        return Call(
            email=email,
            serve=target.name,
            sent_at=sent_at,
            seconds=time.monotonic() - begun,
            status=None if answer is None else answer.status_code,
            request_id=None if answer is None else answer.headers.get("x-request-id"),
            retry_after=None if answer is None else _seconds(answer.headers.get("retry-after")),
            was_sent=was_sent,
            is_starting=is_starting,
        )


def _seconds(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None
