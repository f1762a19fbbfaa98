"""What a database tells of itself: its clock, and whether a commit is on disk when it returns."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from authreset.store.database import Transaction


@dataclass(frozen=True, slots=True)
class VitalSigns:
    """The server's present instant (None: it shares our clock), and settings that lose commits."""

    now: datetime | None
    unsafe: tuple[str, ...]


async def read_vital_signs(tx: Transaction) -> VitalSigns:
    """Ask the database, with the settings that our own connections have."""
    if tx.dialect.name == "sqlite":
        level = (await tx.execute(text("PRAGMA synchronous"))).scalar_one()
        return VitalSigns(None, () if level >= _FULL else (f"synchronous={level}",))
    now = (await tx.execute(text("SELECT clock_timestamp()"))).scalar_one()
    unsafe = [
        f"{name}=off"
        for name in ("fsync", "synchronous_commit", "full_page_writes")
        if (await tx.execute(text(f"SHOW {name}"))).scalar_one() == "off"
    ]
    return VitalSigns(now, tuple(unsafe))


_FULL = 2  # https://sqlite.org/pragma.html#pragma_synchronous
