"""The verbs that run the service: `serve`, `worker`, `migrate`, `demo`."""

from typing import Annotated

import typer

from authreset.cli.urls import parse_address
from authreset.cli.verbs.options import AsJson, example, finish

_Host = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every one.")]
_Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the program."""
    app.command("serve", epilog=example("serve", "serve --host 0.0.0.0 --port 8080 --processes 2"))(
        serve
    )
    app.command("worker", epilog=example("worker", "worker --metrics 127.0.0.1:9101"))(worker)
    app.command("migrate", epilog=example("migrate", "migrate --roles"))(migrate)
    app.command("demo", epilog=example("demo", "demo --port 9000 --json"))(demo)


def serve(
    host: _Host = "127.0.0.1",
    port: _Port = 8080,
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="Web processes; more than one needs PostgreSQL.")
    ] = 1,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Leave settling and mailing to other machines.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Serve the API and the pages, with a worker beside them."""
    from authreset.cli.starting import start_serving

    finish(start_serving(host, port, processes, with_worker=not no_worker, as_json=as_json))


def worker(
    metrics: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT", help="Where it answers /metrics and /healthz; none: nowhere."
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Run a worker alone: it settles requests and sends letters."""
    from authreset.cli.starting import start_worker

    try:
        metrics_at = parse_address(metrics) if metrics else None
    except ValueError as fault:
        raise typer.BadParameter(str(fault), param_hint="--metrics") from fault
    finish(start_worker(metrics_at, as_json=as_json))


def migrate(
    roles: Annotated[
        bool,
        typer.Option(
            "--roles",
            help="Also make the roles of the service and grant each what it needs (PostgreSQL).",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the database to this version. Safe to run at any time and by many at once."""
    from authreset.cli.opening import run_with_settings
    from authreset.cli.work import migrating

    finish(
        run_with_settings(
            lambda settings: migrating.migrate(settings, with_roles=roles), as_json=as_json
        )
    )


def demo(
    host: Annotated[str, typer.Option(help="Where you will serve it.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="And on which port.")] = 8080,
    as_json: AsJson = False,
) -> None:
    """Fill a tenant tree to play with, and print a ready curl line."""
    from authreset.cli.opening import run_opened
    from authreset.cli.work import demo as work

    finish(run_opened(lambda opened: work.demo(opened, host, port), as_json=as_json))
