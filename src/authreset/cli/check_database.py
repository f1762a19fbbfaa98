"""Judges a database from outside: can it be reached and written, is it recent, is there room.

What stands in its tables is `flows.examine`'s to judge, in whose terms this speaks too.
"""

from dataclasses import dataclass
from typing import Final

from authreset.flows.examine import Finding, Findings, Verdict

OK, WARN, FAIL = Verdict.OK, Verdict.WARN, Verdict.FAIL

LEAST_POSTGRES: Final = 15
LITTLE_DISK: Final = 2**30
TOO_LITTLE_DISK: Final = 100 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """What was seen of a database, under the check's name. Each None was not looked at."""

    kind: str
    check: str = "database"
    fault: str | None = None
    version: tuple[int | str, ...] = ()
    revision: str | None = None
    newest_revision: str = ""
    write_fault: str | None = None
    free_bytes: int | None = None
    is_embedded: bool = False

    @property
    def is_usable(self) -> bool:
        """Tell whether its tables can be read and written."""
        is_current = bool(self.revision) and (self.revision or "") >= self.newest_revision
        return self.fault is None and self.write_fault is None and is_current


def examine_database(facts: DatabaseFacts | None) -> Findings:
    """Judge the database; None means that the embedded one was not made yet."""
    if facts is None:
        yield Finding("database", WARN, "there is none yet", "nothing: the first start makes it")
        return
    if facts.fault is not None:
        yield Finding(
            facts.check,
            FAIL,
            f"{facts.kind} cannot be used: {facts.fault}",
            f"start it, or correct AUTHRESET_{facts.check.upper()}_URL",
        )
        return
    problems = [*_version(facts), *_revision(facts), *_room(facts)]
    seen = f"{facts.kind} {'.'.join(map(str, facts.version[:2]))}"
    if facts.revision is not None:
        seen += f", revision {facts.revision}, writable"
    yield from problems or [Finding(facts.check, OK, seen)]


def _version(facts: DatabaseFacts) -> Findings:
    major = next((part for part in facts.version if isinstance(part, int)), LEAST_POSTGRES)
    if not facts.is_embedded and major < LEAST_POSTGRES:
        yield Finding(
            facts.check,
            FAIL,
            f"{facts.kind} {major} is too old",
            f"use PostgreSQL {LEAST_POSTGRES} or later",
        )


def _revision(facts: DatabaseFacts) -> Findings:
    current = facts.revision or ""
    if current < facts.newest_revision:
        yield Finding(
            "database",
            WARN if facts.is_embedded else FAIL,
            f"at revision {current or 'none'}, while this program needs {facts.newest_revision}",
            "nothing: the next start migrates it"
            if facts.is_embedded
            else "run `authreset migrate`",
        )
    elif current > facts.newest_revision:
        yield Finding(
            "database",
            WARN,
            f"at revision {current}, newer than this program's {facts.newest_revision}",
            "update this program",
        )


def _room(facts: DatabaseFacts) -> Findings:
    if facts.write_fault is not None:
        yield Finding(
            "database",
            FAIL,
            f"cannot be written: {facts.write_fault}",
            "check the disk, the rights of the service's user, and read-only modes",
        )
    if facts.free_bytes is not None and facts.free_bytes < LITTLE_DISK:
        verdict = FAIL if facts.free_bytes < TOO_LITTLE_DISK else WARN
        yield Finding(
            "database",
            verdict,
            f"{facts.free_bytes // 2**20} MiB of disk are left",
            "make room: without any, no request can be taken",
        )
