"""What the supervisor's children run: a web process, or a worker. Started by `serving` alone."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator

import structlog

from authreset.config import ConfigError, Settings, load_settings
from authreset.logs import configure_logs
from authreset.scheduling import take_short_slices, yield_to_callers


def main(arguments: list[str]) -> int:
    """Run the child that the arguments name. Returns the exit status."""
    settings = load_settings(os.environ)
    configure_logs(settings.log_format, settings.log_level)
    what, *rest = arguments
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as loop:
            loop.run((_run_web if what == "web" else _run_worker)(settings, *rest))
    except ConfigError as error:
        structlog.get_logger("authreset").error("cannot_start", reason=str(error))
        return 1
    return 0


async def _run_web(settings: Settings, fd: str, host: str, port: str) -> None:
    from authreset.web.server import build_server
    from authreset.wiring import open_web_parts, public_url_of

    take_short_slices()
    public_url = public_url_of(settings, host, int(port))
    async with open_web_parts(settings, public_url) as parts:
        server = build_server(parts)
        with _stopped_by_signals(server.stop):
            listener = socket.socket(fileno=int(fd))
            structlog.get_logger("authreset").info("listening", url=public_url, port=int(port))
            _spare_what_stays()
            await server.serve(sockets=[listener])


async def _run_worker(settings: Settings, host: str, port: str, metrics_fd: str = "") -> None:
    yield_to_callers()  # before the imports, so that those of the web process come first
    from authreset.wiring import open_worker, public_url_of

    async with (
        open_worker(settings, public_url_of(settings, host, int(port))) as worker,
        _watched_at(metrics_fd),
    ):
        with _stopped_by_signals(worker.stop):
            _spare_what_stays()
            await worker.run()


def _spare_what_stays() -> None:
    """Keep the collector of garbage off modules and parts, which live as long as the process.

    It would walk over all of them again and again: an eighth of the time of a busy intake.
    """
    gc.collect()
    gc.freeze()


@contextlib.asynccontextmanager
async def _watched_at(fd: str) -> AsyncIterator[None]:
    """Let a worker answer those who watch it, where its operator named an address for that."""
    if not fd:
        yield
        return
    from authreset.web.server import build_worker_server

    server = build_worker_server()
    serving = asyncio.create_task(server.serve(sockets=[socket.socket(fileno=int(fd))]))
    try:
        yield
    finally:
        server.stop()
        await serving


@contextlib.contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Stop on a signal, or when the supervisor is gone.

    Its end of the pipe closes with it, however it died.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    fd = int(os.environ.get("AUTHRESET_PARENT_FD", "-1"))

    def parent_gone() -> None:
        loop.remove_reader(fd)
        stop()

    if fd >= 0:
        loop.add_reader(fd, parent_gone)
    try:
        yield
    finally:
        if fd >= 0:
            loop.remove_reader(fd)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
