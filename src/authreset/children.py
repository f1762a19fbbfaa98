"""What the supervisor's children run: a web process, or a worker. Started by `serving` alone."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator

import structlog

from authreset.config import ConfigError, load_settings
from authreset.logs import configure_logs

GRACE_SECONDS = 10
NICENESS = 10


def main(arguments: list[str]) -> int:
    """Run the child that the arguments name. Returns the exit status."""
    settings = load_settings(os.environ)
    configure_logs(settings.log_format, settings.log_level)
    what, *rest = arguments
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as loop:
            loop.run(_run_web(*rest) if what == "web" else _run_worker(*rest))
    except ConfigError as error:
        structlog.get_logger("authreset").error("cannot_start", reason=str(error))
        return 1
    return 0


async def _run_web(fd: str, host: str, port: str) -> None:
    import socket

    import uvicorn

    from authreset.web.app import build_app
    from authreset.web.intake import IntakeCalls
    from authreset.web.journal import Journal
    from authreset.web.protocol import protocol_for
    from authreset.wiring import open_web_parts, public_url_of

    settings = load_settings(os.environ)
    public_url = public_url_of(settings, host, int(port))
    async with open_web_parts(settings, public_url) as parts:
        journal = Journal(time.monotonic)
        intake = IntakeCalls(parts, journal)
        config = uvicorn.Config(
            build_app(parts, journal, intake),
            http=protocol_for(intake),
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        server = uvicorn.Server(config)
        with _parent_watched(lambda: setattr(server, "should_exit", True)):
            listener = socket.socket(fileno=int(fd))
            structlog.get_logger("authreset").info("listening", url=public_url, port=int(port))
            await server.serve(sockets=[listener])


async def _run_worker(host: str, port: str) -> None:
    from authreset.wiring import open_worker, public_url_of

    _yield_to_the_intake()
    settings = load_settings(os.environ)
    async with open_worker(settings, public_url_of(settings, host, int(port))) as worker:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        with _parent_watched(worker.stop):
            await worker.run()


def _yield_to_the_intake() -> None:
    """Let callers go first where worker and intake share cores."""
    os.nice(NICENESS)
    # Linux weighs sessions before processes (sched(7), autogroup), and each child has its own.
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w") as autogroup:
        autogroup.write(str(NICENESS))


@contextlib.contextmanager
def _parent_watched(stop: Callable[[], None]) -> Iterator[None]:
    """Stop when the supervisor is gone: its end of the pipe closes with it, however it died."""
    fd = os.environ.get("AUTHRESET_PARENT_FD")
    if fd is None:
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_reader(int(fd), stop)
    try:
        yield
    finally:
        loop.remove_reader(int(fd))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
