"""Faults of the product's own programs: killed, stopped in good order, stopped in their tracks."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.processes import alive

from drill.faults.scene import Fault, Scene
from drill.mail_behaviour import SLOW, WELL
from drill.place import LEASE_SECONDS
from drill.programs import Program

ORPHANS_END_SECONDS = 15.0
SENDING_SECONDS = 3.0
SERVES, WORKERS = frozenset({"serves"}), frozenset({"workers"})
SENDING = frozenset({"workers", "mail"})


def kill_serve(scene: Scene) -> None:
    """Kill one that serves, children and all."""
    scene.chance.choice(scene.fleet.serves).kill()
    scene.hold()


def kill_serve_child(scene: Scene) -> None:
    """Kill the children of one that serves; their supervisor starts others."""
    scene.chance.choice(scene.fleet.serves).kill_children()
    scene.hold()


def kill_worker(scene: Scene) -> None:
    """Kill a worker that has handed over a mail and waits for the reply."""
    with caught_sending(scene) as worker:
        worker.kill()
    scene.hold()


def kill_worker_child(scene: Scene) -> None:
    """Kill the child of a worker in the same moment; its supervisor starts another."""
    with caught_sending(scene) as worker:
        worker.kill_children()
    scene.hold()


def kill_supervisor(scene: Scene) -> None:
    """Kill a supervisor alone; its children are to end by themselves."""
    program = scene.chance.choice(scene.fleet.all)
    orphans = program.family()[1:]
    program.kill_alone()
    until = time.monotonic() + ORPHANS_END_SECONDS
    while any(alive(pid) for pid in orphans) and time.monotonic() < until:
        time.sleep(0.1)
    if any(alive(pid) for pid in orphans):
        scene.complaints.append(f"children of {program.name} outlived it")
    scene.hold()


def kill_everything(scene: Scene) -> None:
    """Kill every program of the product at once."""
    for program in scene.fleet.all:
        program.kill()
    scene.hold()


def stop_serve(scene: Scene) -> None:
    """Ask one that serves to end, and start it again."""
    _stop_and_start(scene, scene.chance.choice(scene.fleet.serves))


def stop_worker(scene: Scene) -> None:
    """Ask a worker in the middle of sending to end, and start it again."""
    with caught_sending(scene) as worker:
        _stop_and_start(scene, worker)


def pause_worker(scene: Scene) -> None:
    """Stop a worker in its tracks while it sends, until its leases are over."""
    with caught_sending(scene) as worker:
        worker.pause(LEASE_SECONDS + scene.chance.uniform(1, 3))
    scene.hold()


def _stop_and_start(scene: Scene, program: Program) -> None:
    taken = program.stop()
    if taken > ORPHANS_END_SECONDS:
        scene.complaints.append(f"{program.name} took {taken:.0f} s to stop")
    scene.hold()
    program.start()


@contextmanager
def caught_sending(scene: Scene) -> Iterator[Program]:
    """Choose a worker and wait until a reply is owed to it, by a mail server that is slow."""
    worker = scene.chance.choice(scene.fleet.workers)
    scene.mail.behaviour = SLOW
    try:
        scene.mail.wait_sending(worker.name, SENDING_SECONDS)
        yield worker
    finally:
        scene.mail.behaviour = WELL


PROGRAMS = (
    Fault("serve-killed", "kill -9 of a serve with its children", SERVES, kill_serve),
    Fault("serve-child-killed", "kill -9 of a serve's children", SERVES, kill_serve_child),
    Fault("worker-killed", "kill -9 of a worker while it sends", SENDING, kill_worker),
    Fault("worker-child-killed", "kill -9 of a worker's child", SENDING, kill_worker_child),
    Fault("supervisor-killed", "kill -9 of a supervisor alone", SERVES | WORKERS, kill_supervisor),
    Fault("all-killed", "kill -9 of everything", SERVES | WORKERS, kill_everything),
    Fault("serve-stopped", "SIGTERM of a serve, started again", SERVES, stop_serve),
    Fault("worker-stopped", "SIGTERM of a worker while it sends", SENDING, stop_worker),
    Fault("worker-paused", "SIGSTOP of a worker past its leases", SENDING, pause_worker),
)
