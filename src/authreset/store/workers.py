"""Signs of life of the workers, for `doctor` and the metrics."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from authreset.store.database import Transaction
from authreset.store.tables import workers


@dataclass(frozen=True, slots=True)
class WorkerSign:
    """When a worker last wrote that it lives, and how its mail goes."""

    name: str
    started_at: datetime
    seen_at: datetime
    mail_state: str


async def sign_worker(tx: Transaction, sign: WorkerSign) -> None:
    """Write or renew a worker's sign."""
    dialect: Any = postgresql if tx.dialect.name == "postgresql" else sqlite
    values = {name: getattr(sign, name) for name in WorkerSign.__slots__}
    statement = dialect.insert(workers).values(values)
    await tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))


async def list_workers(tx: Transaction) -> list[WorkerSign]:
    """Return the signs of all workers, the latest first."""
    found = await tx.execute(select(workers).order_by(workers.c.seen_at.desc()))
    return [WorkerSign(**row) for row in found.mappings()]


async def forget_worker(tx: Transaction, name: str) -> None:
    """Remove the sign of a worker that stopped in good order."""
    await tx.execute(delete(workers).where(workers.c.name == name))


async def sweep_workers(tx: Transaction, before: datetime, limit: int) -> int:
    """Remove signs of workers not seen since that instant."""
    old = select(workers.c.name).where(workers.c.seen_at < before).limit(limit)
    return (await tx.execute(delete(workers).where(workers.c.name.in_(old)))).rowcount
