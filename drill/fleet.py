"""The product's programs of one drill: so many that serve, so many that work, all kept running."""

from dataclasses import dataclass

from bench.processes import free_port

from drill.callers import Target
from drill.place import Place
from drill.programs import NEVER, Program, authreset
from drill.stepped_clock import SteppedClock

HOST = "127.0.0.1"


@dataclass
class Fleet:
    """Programs by what they do."""

    serves: list[Program]
    workers: list[Program]

    @property
    def all(self) -> list[Program]:
        """Return every program."""
        return [*self.serves, *self.workers]

    def targets(self) -> list[Target]:
        """Return where calls can be sent to."""
        return [
            Target(one.name, one.health.removesuffix("/healthz"), _starting(one))
            for one in self.serves
        ]


def _starting(program: Program) -> "Starting":
    return Starting(program)


@dataclass(frozen=True, slots=True)
class Starting:
    """Tells whether a program has not been ready since it was started last."""

    program: Program

    def __call__(self) -> bool:
        """Tell it."""
        return self.program.ready_at == NEVER


def make_fleet(place: Place, serves: int, workers: int) -> Fleet:
    """Put programs together; none is started yet."""
    return Fleet(
        [_serve(place, number) for number in range(1, serves + 1)],
        [_worker(place, number) for number in range(1, workers + 1)],
    )


def worker_role(number: int) -> str:
    """Return the database role that a worker of this number has (PostgreSQL)."""
    return f"worker_{number}"


def add_worker_roles(place: Place, workers: int) -> None:
    """Give each worker a role of its own, so that the database can tell them apart."""
    if place.postgres is None:
        return
    for number in range(workers + 1):
        role = worker_role(number)
        place.postgres.execute(f"CREATE ROLE {role} LOGIN", f"GRANT postgres TO {role}")


def _serve(place: Place, number: int) -> Program:
    port = place.port if number == 1 else free_port()
    arguments = ["serve", "--host", HOST, "--port", str(port), "--no-worker"]
    name = f"serve-{number}"
    return Program(
        name=name,
        command=authreset(*arguments),
        environ=place.environ(name),
        log=place.directory / f"{name}.log",
        health=f"http://{HOST}:{port}/healthz",
    )


def _worker(place: Place, number: int) -> Program:
    name = f"worker-{number}"
    return Program(
        name=name,
        command=authreset("worker"),
        environ=place.environ(name, worker_role(number)),
        log=place.directory / f"{name}.log",
    )


def worker_with_clock(place: Place, clock: SteppedClock) -> Program:
    """Put together one more worker, under a clock of its own."""
    made = _worker(place, 0)
    made.environ = {**made.environ, **clock.environ}
    return made
