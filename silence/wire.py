"""One keep-alive connection: sends a request, times its answer, reads it whole. Judges nothing."""

import socket
import time
from types import TracebackType
from typing import Self

from bench.generator import content_length

PATIENCE_SECONDS = 30.0


class Connection:
    """A blocking connection with one request under way at a time."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes, delay: float = 0.0) -> tuple[int, bytes]:
        """Return the nanoseconds from the sending to the end of the answer, and the answer.

        A delay (seconds) is spent after the clock was started: the control's difference is made
        here and nowhere in the service.
        """
        begun = time.perf_counter_ns()
        if delay:
            time.sleep(delay)
        self._socket.sendall(request)
        answer = self._socket.recv(65536)
        while not _is_whole(answer):
            more = self._socket.recv(65536)
            if not more:
                raise ConnectionError(f"the connection was closed within an answer: {answer!r}")
            answer += more
        return time.perf_counter_ns() - begun, answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._socket.close()


def _is_whole(answer: bytes) -> bool:
    head = answer.find(b"\r\n\r\n")
    return head >= 0 and len(answer) >= head + 4 + content_length(answer[:head])
