"""What a fault is, and what it is given to break."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from drill.fleet import Fleet
from drill.mail_server import MailServer
from drill.place import Place


@dataclass(frozen=True)
class Scene:
    """The things to break, and the chance by which it is done.

    `seconds`: how long an outage lasts at least and at most. `look`: called in its middle.
    """

    place: Place
    mail: MailServer
    fleet: Fleet
    chance: random.Random
    seconds: tuple[float, float] = (1.5, 3.5)
    look: Callable[[], None] = lambda: None
    complaints: list[str] = field(default_factory=list)

    def hold(self) -> None:
        """Let what is broken stay so for a while."""
        until = time.monotonic() + self.chance.uniform(*self.seconds)
        time.sleep(max(until - time.monotonic(), 0) * 0.7)
        self.look()
        time.sleep(max(until - time.monotonic(), 0))


def _possible(_place: Place) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break things. `act` breaks, waits and mends.

    `parts` are what it touches; two faults of one round touch different parts. `why_not` tells
    why it cannot be done in a place, "" if it can.
    """

    name: str
    what: str
    parts: frozenset[str]
    act: Callable[[Scene], None]
    databases: frozenset[str] = frozenset({"postgres", "sqlite"})
    why_not: Callable[[Place], str] = _possible
