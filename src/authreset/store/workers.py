"""Signs of life of the workers, for `doctor` and the metrics."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, select

from authreset.store.database import Transaction
from authreset.store.statements import delete_before, insert_or
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
    values = asdict(sign)
    statement = insert_or(tx, workers).values(values)
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
    return await delete_before(tx, workers.c.seen_at, before, limit)
