"""The order of asking, and what is kept of an answer."""

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from typing import ClassVar

import pytest
from silence.draws import CONTROL_MOST, FEWEST, WARM_UP, Effort, Subject, Train, ask_all
from silence.wire import Connection

ANSWER = b"HTTP/1.1 200 OK\r\ndate: %d\r\nx-request-id: %d\r\ncontent-length: 2\r\n\r\nok"


class Echo(asyncio.Protocol):
    """Answers each line, and keeps them in their order."""

    def __init__(self, seen: list[str]) -> None:
        self._seen = seen

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._seen.append(data.decode())
        self.answer()

    def answer(self) -> None:
        self.transport.write(ANSWER % (len(self._seen), len(self._seen)))


class Gathering(Echo):
    """Answers when three have asked."""

    waiting: ClassVar[list[Echo]] = []

    def answer(self) -> None:
        self.waiting.append(self)
        if len(self.waiting) == 3:
            for one in self.waiting:
                Echo.answer(one)
            self.waiting.clear()


class Mortal(Echo):
    """Closes the connection instead of the hundredth answer."""

    def answer(self) -> None:
        if len(self._seen) == 100:
            self.transport.close()
        else:
            super().answer()


@contextmanager
def echo(seen: list[str], kind: type[Echo] = Echo) -> Iterator[int]:
    loop, ports = asyncio.new_event_loop(), list[int]()
    started, ended = threading.Event(), asyncio.Event()

    async def serve() -> None:
        server = await loop.create_server(lambda: kind(seen), "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        started.set()
        await ended.wait()
        server.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(10)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


def word(name: str, number: int) -> bytes:
    return f"{name}{number}".encode()


def asked(requests: int, seed: int) -> tuple[list[Subject], list[str], int]:
    seen: list[str] = []
    with echo(seen) as port, Connection(port) as connection:
        subjects = [Subject(name, "plain", [connection], partial(word, name)) for name in "abc"]
        done = ask_all(
            subjects,
            Effort(requests),
            seed,
            train=Train(partial(word, "p")),
        )
    return subjects, seen, done


def test_every_class_is_asked_as_often_and_each_request_is_followed_by_a_probe() -> None:
    _, seen, done = asked(30, seed=1)

    assert done == 30
    for name in "abc":
        of_it = [word for word in seen[::2] if word.startswith(name)]
        assert of_it == [f"{name}{number}" for number in range(30 + WARM_UP)]
    assert seen[1::2] == [f"p{number}" for number in range(3 * (30 + WARM_UP))]


def test_a_control_is_asked_no_oftener_than_it_takes_to_find_it() -> None:
    with echo([]) as port, Connection(port) as connection:
        plain = Subject("plain", "plain", [connection], lambda _: b"x")
        control = Subject("control", "control", [connection], lambda _: b"x", delay=1e-9)
        done = ask_all([plain, control], Effort(CONTROL_MOST + 100), 1)

    assert len(plain.answers) == done == CONTROL_MOST + 100
    assert len(control.answers) == CONTROL_MOST


def test_what_comes_before_a_request_does_not_tell_its_class() -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"{seed=}")
    _, seen, _ = asked(1000, seed)
    order = [word[0] for word in seen[6 * WARM_UP :: 2]]

    same = sum(one == other for one, other in pairwise(order))

    # A third of them; were each class asked once a round, it would be a ninth. Six deviations off.
    assert same / len(order) == pytest.approx(1 / 3, abs=6 * (2 / 9 / len(order)) ** 0.5)


def test_the_order_comes_from_the_seed() -> None:
    (_, first, _), (_, again, _), (_, other, _) = asked(30, 1), asked(30, 1), asked(30, 2)

    assert first == again != other


def test_an_effort_ends_when_its_time_is_over_and_enough_is_found() -> None:
    with echo([]) as port, Connection(port) as connection:
        subjects = [Subject(name, "plain", [connection], partial(word, name)) for name in "abc"]
        judgements = iter([False, False, True])
        effort = Effort(10_000, seconds=0.0, patience=float("inf"))
        done = ask_all(subjects, effort, 1, is_enough=lambda: next(judgements))

    assert FEWEST <= done == min(len(one.answers) for one in subjects) < 100


@contextmanager
def three_abreast(seen: list[str], kind: type[Echo]) -> Iterator[list[Subject]]:
    with echo(seen, kind) as port, ExitStack() as stack:
        connections = [stack.enter_context(Connection(port)) for _ in range(3)]
        yield [Subject(name, "plain", connections, partial(word, name)) for name in "abc"]


def test_as_many_requests_are_under_way_as_there_are_connections() -> None:
    seen: list[str] = []
    with three_abreast(seen, Gathering) as subjects:
        assert ask_all(subjects, Effort(30), 1) == 30

    assert sorted(seen) == sorted(f"{name}{n}" for name in "abc" for n in range(30 + WARM_UP))
    assert [len(one.answers) for one in subjects] == [30, 30, 30]


def test_when_one_connection_fails_the_others_end_and_it_is_told() -> None:
    seen: list[str] = []
    with three_abreast(seen, Mortal) as subjects, pytest.raises(ConnectionError):
        ask_all(subjects, Effort(100_000), 1)

    assert len(seen) < 1_000


def test_times_are_kept_without_those_of_the_warm_up_and_answers_without_their_own_words() -> None:
    subjects, _, _ = asked(30, 1)

    for one in subjects:
        assert len(one.answers) == len(one.probes) == 30
        assert one.shapes == {
            b"HTTP/1.1 200 OK\r\ndate: ITS OWN\r\nx-request-id: ITS OWN\r\n"
            b"content-length: 2\r\n\r\nok": 30 + WARM_UP
        }


def test_a_control_takes_its_millisecond_on_the_callers_side() -> None:
    with echo([]) as port, Connection(port) as connection:
        control = Subject("control", "control", [connection], lambda _: b"x", delay=0.001)
        ask_all([control], Effort(20), 1)

    assert min(control.answers) >= 1_000_000


def test_a_train_is_added_up_and_a_controls_millisecond_is_in_it_once() -> None:
    seen: list[str] = []
    with echo(seen) as port, Connection(port) as connection:
        control = Subject("control", "control", [connection], partial(word, "c"), delay=0.001)
        ask_all([control], Effort(20), 1, train=Train(partial(word, "p"), length=4))

    assert len(control.probes) == 20
    assert 1_000_000 <= min(control.probes) < 4_000_000
    assert len(set(seen)) == len(seen) == 5 * (20 + WARM_UP)
