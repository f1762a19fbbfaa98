"""How the refusals of the flows read on a command line."""

from typing import TypeAlias

from authreset.cli.answers import Refusal
from authreset.flows.add_organization import BadValue, NoSuchEntry
from authreset.flows.judge_password import Weak
from authreset.store.entities import EntryTaken
from authreset.store.users import EmailTaken

Refused: TypeAlias = BadValue | NoSuchEntry | EntryTaken | EmailTaken | Weak


def to_refusal(refused: Refused) -> Refusal:
    """Return what to print."""
    match refused:
        case BadValue(field, problem):
            return Refusal(f"{field}: this value cannot be used", problem)
        case NoSuchEntry(entry):
            return no_such_entry(entry)
        case EntryTaken():
            return Refusal("this entry name is taken", "choose another --entry")
        case EmailTaken():
            return Refusal(
                "another user of the same root organisation has this address",
                "change that one (`authreset user set-email`), or give another address",
            )
        case Weak(weaknesses):
            return Refusal(
                "the password was refused", " ".join(weakness.text for weakness in weaknesses)
            )


def no_such_entry(entry: str) -> Refusal:
    """Say that no suitable node has this entry name."""
    return Refusal(
        f"no suitable entity has the entry {entry!r}", "`authreset organization list` lists them"
    )
