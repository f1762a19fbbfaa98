"""Password hashing: Argon2id in one thread of low priority, behind a queue of bounded length.

One hash takes a core for some 25 ms. More at once, or at normal priority, would ruin the tail of
every other request in the process. Judging passwords and normalising them happens elsewhere.
"""

import asyncio
import base64
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.low_level import ARGON2_VERSION, Type, hash_secret_raw

from authreset.scheduling import lower_thread

P = ParamSpec("P")
T = TypeVar("T")


class HashingBusy(Exception):
    """Too many passwords are waiting to be hashed. Nothing was done; trying again later is fine."""


@dataclass(frozen=True, slots=True)
class HashingCost:
    """The parameters of Argon2id. The default is the OWASP Password Storage Cheat Sheet's."""

    memory_kib: int = 19 * 1024
    passes: int = 2
    lanes: int = 1

    @property
    def work(self) -> int:
        """KiB written, the measure by which costs are compared."""
        return self.memory_kib * self.passes


class PasswordHasher:
    """Hashes and verifies passwords, one at a time, off the event loop.

    Passwords come in as `normalise_password` leaves them. Each call takes one place in a queue of
    `waiting` beside the one under way, and raises HashingBusy when there is none. Cancelling a call
    is safe: one that waits is dropped and gives its place back, one under way ends unheard.
    """

    def __init__(self, cost: HashingCost = HashingCost(), waiting: int = 64) -> None:
        self._cost = cost
        self._argon2 = argon2.PasswordHasher(
            time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes, hash_len=32
        )
        self._decoy = _decoy(cost)
        self._places = threading.BoundedSemaphore(waiting + 1)
        self._thread = ThreadPoolExecutor(1, "authreset-hashing", initializer=lower_thread)

    async def hash(self, password: str) -> str:
        """Return a new salted hash in the PHC string format, parameters included."""
        return await self._run(self._argon2.hash, _encode(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether `password` has the hash `stored`; None (no such user, no password) has not.

        The work is the same whether there is a hash, none, or one of a kind unknown here. A hash of
        a cheaper cost is topped up to the present one. Only a dearer one takes longer, and shows
        that way, until `needs_rehash` is heeded at the next log-in.
        """
        return await self._run(self._verify, stored, _encode(password))

    async def matches_any(self, stored: Sequence[str], password: str) -> bool:
        """Tell whether `password` has any of these hashes (its history). Tries them all, always."""
        return await self._run(self._verify_all, tuple(stored), _encode(password))

    def needs_rehash(self, stored: str) -> bool:
        """Tell whether `stored` was made at another cost than the present one, or otherwise."""
        try:
            return self._argon2.check_needs_rehash(stored)
        except InvalidHashError:
            return True

    def close(self) -> None:
        """Finish what was accepted and end the thread. Later calls raise RuntimeError."""
        self._thread.shutdown(wait=True)

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if not self._places.acquire(blocking=False):
            raise HashingBusy
        try:
            future = self._thread.submit(work, *args, **kwargs)
        except BaseException:
            self._places.release()
            raise
        # Runs when the work is done or was cancelled before it began, in whatever thread that is.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    def _verify_all(self, stored: tuple[str, ...], password: bytes) -> bool:
        # All of them before any answer: a list, so that the first match does not end the work.
        matches = [self._verify(one, password) for one in stored]
        return any(matches)

    def _verify(self, stored: str | None, password: bytes) -> bool:
        matches = None if stored is None else self._compare(stored, password)
        if stored is None or matches is None:
            self._compare(self._decoy, password)
            return False
        self._top_up(argon2.extract_parameters(stored), password)
        return matches

    def _compare(self, stored: str, password: bytes) -> bool | None:
        """Tell whether they match; None, and no work done, for a hash that is not Argon2's."""
        try:
            return self._argon2.verify(stored, password)
        except VerifyMismatchError:
            return False
        except (VerificationError, ValueError):
            return None

    def _top_up(self, done: argon2.Parameters, password: bytes) -> None:
        missing = self._cost.work - done.memory_cost * done.time_cost
        if missing < 8:  # KiB, the least that Argon2 can write
            return
        passes = -(-missing // self._cost.memory_kib)
        hash_secret_raw(password, bytes(16), passes, missing // passes, 1, 32, Type.ID)


def _decoy(cost: HashingCost) -> str:
    """Return a hash of that cost in the PHC string format, made of zeros: nobody's password."""
    parameters = f"m={cost.memory_kib},t={cost.passes},p={cost.lanes}"
    return f"$argon2id$v={ARGON2_VERSION}${parameters}${_zeros(16)}${_zeros(32)}"


def _zeros(octets: int) -> str:
    return base64.b64encode(bytes(octets)).decode().rstrip("=")


def _encode(password: str) -> bytes:
    # A lone surrogate has no UTF-8. No stored password holds one, so this one fails like any other.
    return password.encode("utf-8", "surrogatepass")
