"""When each mailbox was mailed, under a keyed digest of its address, whether it exists or not."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import bindparam, select, update

from authreset.store.database import Transaction
from authreset.store.statements import delete_before, insert_or
from authreset.store.tables import mailboxes


async def lock_mailboxes(
    tx: Transaction, digests: Iterable[bytes], now: datetime
) -> dict[bytes, list[float]]:
    """Return the hits of mailboxes (epoch seconds) and hold them until the transaction ends."""
    wanted = sorted(set(digests))
    if not wanted:
        return {}
    # Made or touched, so that two workers meet at the row; sorted, so that they wait in no ring.
    touch = insert_or(tx, mailboxes).on_conflict_do_update(
        index_elements=["digest"], set_={"updated_at": now}
    )
    await tx.execute(touch, [{"digest": one, "hits": [], "updated_at": now} for one in wanted])
    query = select(mailboxes.c.digest, mailboxes.c.hits).where(mailboxes.c.digest.in_(wanted))
    found = await tx.execute(query)
    return {digest: list(hits) for digest, hits in found}


async def save_hits(tx: Transaction, hits: Mapping[bytes, list[float]], now: datetime) -> None:
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
    return await delete_before(tx, mailboxes.c.updated_at, before, limit)
