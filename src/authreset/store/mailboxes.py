"""When each mailbox was mailed, under a keyed digest of its address, whether it exists or not."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from authreset.store.database import Transaction
from authreset.store.tables import mailboxes


async def lock_mailboxes(
    tx: Transaction, digests: Iterable[bytes], now: datetime
) -> dict[bytes, list[float]]:
    """Return the hits of mailboxes (epoch seconds) and hold them until the transaction ends."""
    wanted = sorted(set(digests))
    if not wanted:
        return {}
    dialect: Any = postgresql if tx.dialect.name == "postgresql" else sqlite
    # Every row is made first, so that two workers meet at it; sorted, so that neither waits in a ring.
    await tx.execute(
        dialect.insert(mailboxes).on_conflict_do_nothing(index_elements=["digest"]),
        [{"digest": digest, "hits": [], "updated_at": now} for digest in wanted],
    )
    query = select(mailboxes.c.digest, mailboxes.c.hits).where(mailboxes.c.digest.in_(wanted))
    found = await tx.execute(query.order_by(mailboxes.c.digest).with_for_update())
    return {digest: list(hits) for digest, hits in found}


async def save_hits(
    tx: Transaction, hits: Mapping[bytes, list[float]], now: datetime
) -> None:
    """Store the hits of held mailboxes."""
    if not hits:
        return
    statement = (
        update(mailboxes)
        .where(mailboxes.c.digest == bindparam("b_digest"))
        .values(hits=bindparam("b_hits", type_=mailboxes.c.hits.type), updated_at=now)
    )
    await tx.execute(statement, [{"b_digest": d, "b_hits": h} for d, h in hits.items()])


async def sweep_mailboxes(tx: Transaction, before: datetime, limit: int) -> int:
    """Forget mailboxes that nobody asked about since that instant."""
    old = select(mailboxes.c.digest).where(mailboxes.c.updated_at < before).limit(limit)
    return (await tx.execute(delete(mailboxes).where(mailboxes.c.digest.in_(old)))).rowcount
