"""Starts the long-running verbs. What would keep them from starting is found before they do.

The supervisor stays in memory as long as the service runs, so everything heavy is looked at in a
child of it, which ends before the service begins.
"""

import os
import socket
import sys
from collections.abc import Callable

from authreset.cli.answers import Answer, Refusal, tell
from authreset.cli.urls import is_loopback, url_of
from authreset.config import ConfigError, Settings, load_settings


def start_serving(host: str, port: int, processes: int, *, with_worker: bool, as_json: bool) -> int:
    """Check, say where, and serve until a signal to stop."""
    if status := _in_child(lambda: _preflight((host, port), "--host or --port", as_json=as_json)):
        return status
    settings = load_settings(os.environ)
    from authreset.serving import run_serve

    def run() -> int:
        tell(_say_serving(settings, host, port, processes, with_worker), as_json=as_json)
        return run_serve(
            settings, host=host, port=port, processes=processes, with_worker=with_worker
        )

    if processes > 1 and settings.is_embedded:
        return tell(
            Refusal(
                "--processes: the embedded database takes requests through one process",
                "leave --processes out, or set AUTHRESET_DATABASE_URL to a PostgreSQL database",
            ),
            as_json=as_json,
        )
    return _told(run)


def start_worker(metrics_at: tuple[str, int] | None, *, as_json: bool) -> int:
    """Check, and work until a signal to stop."""
    if status := _in_child(lambda: _preflight(metrics_at, "--metrics", as_json=as_json)):
        return status
    from authreset.serving import run_worker

    def run() -> int:
        tell(_say_working(metrics_at), as_json=as_json)
        return run_worker(metrics_at)

    return _told(run)


def _preflight(listens_at: tuple[str, int] | None, named_by: str, *, as_json: bool) -> int:
    """Look at settings, keys, database and address; print only what is wrong."""
    if listens_at and (refusal := _find_listening_fault(*listens_at, named_by)):
        return tell(refusal, as_json=as_json)
    from authreset.cli.opening import run_with_settings
    from authreset.cli.work.preflight import look

    return run_with_settings(look, as_json=as_json, is_quiet=True)


def _find_listening_fault(host: str, port: int, named_by: str) -> Refusal | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as fault:
        return Refusal(
            f"cannot listen on {host} port {port}: {fault.strerror or fault}",
            f"choose another {named_by}, or stop what listens there",
        )
    return None


def _in_child(check: Callable[[], int]) -> int:
    """Run a check in a child process and return its exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = check()
        except KeyboardInterrupt:
            status = 130
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _told(run: Callable[[], int]) -> int:
    try:
        return run()
    except (ConfigError, OSError) as fault:
        # Standard output has had its one object, so this goes where the log goes.
        tell(Refusal(str(fault), "run `authreset doctor`"), as_json=False)
        return 1


def _say_working(metrics_at: tuple[str, int] | None) -> Answer:
    url = f"{url_of(*metrics_at)}/metrics" if metrics_at else None
    text = "The worker runs. Its log is on standard error."
    return Answer(
        {"worker": True, "metrics_url": url}, f"{text}\nIts metrics are at {url}." if url else text
    )


def _say_serving(
    settings: Settings, host: str, port: int, processes: int, with_worker: bool
) -> Answer:
    url = url_of(host, port)
    public_url = settings.public_url or url
    shown = not settings.smtp_url and is_loopback(public_url)
    data = {
        "url": url,
        "public_url": public_url,
        "processes": processes,
        "worker": with_worker,
        "mailbox_url": f"{url}/mailbox" if shown else None,
    }
    lines = [f"Serving at {url}, reference at {url}/docs. Stop with Ctrl+C."]
    if not settings.smtp_url:
        lines.append("NO MAIL SERVER: AUTHRESET_SMTP_URL is not set, so no letter leaves here.")
        lines.append(
            f"Letters are shown at {url}/mailbox"
            if shown
            else ("They are not shown either, because the public URL is not on this machine.")
        )
    if not with_worker:
        lines.append("No worker runs here: start `authreset worker` somewhere.")
    return Answer(data, "\n".join(lines))
