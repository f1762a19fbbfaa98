"""Faults of the mail server: gone, hung, refusing, cutting the line."""

from collections.abc import Callable

from drill.faults.scene import Fault, Scene
from drill.mail_behaviour import BAD_WAYS, WELL, Behaviour

MAIL = frozenset({"mail"})
WHAT = {
    "421": "421 at each connection",
    "450": "450 to every recipient",
    "451": "451 to every mail",
    "552": "552 to every recipient",
    "554-greeting": "554 at each connection",
    "hang-greeting": "taken connections, no greeting",
    "hang-data": "no reply to a mail",
    "drop-kept": "cut before the reply, mail taken",
    "drop-lost": "cut before the reply, mail lost",
}


def stop(scene: Scene) -> None:
    """Let nobody listen."""
    scene.mail.stop()
    scene.hold()
    scene.mail.start()


def behaving(way: Behaviour) -> Callable[[Scene], None]:
    """Return a fault that makes the mail server behave so."""

    def act(scene: Scene) -> None:
        scene.mail.behaviour = way
        scene.mail.cut()
        scene.hold()
        scene.mail.behaviour = WELL

    return act


MAILS = (
    Fault("smtp-stopped", "the mail server is down", MAIL, stop),
    *(Fault(f"smtp-{name}", WHAT[name], MAIL, behaving(way)) for name, way in BAD_WAYS.items()),
)
