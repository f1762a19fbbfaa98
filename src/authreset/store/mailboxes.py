"""When each mailbox was mailed, under a keyed digest of its address, whether it exists or not."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from authreset.store.database import Transaction
from authreset.store.statements import delete_before, insert_each, insert_or
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
    holding = touch.returning(mailboxes.c.digest, mailboxes.c.hits)
    rows = [(one,) for one in wanted]
    held = await insert_each(tx, holding, [mailboxes.c.digest], rows, hits=[], updated_at=now)
    return dict(held.all())


async def save_hits(tx: Transaction, hits: Mapping[bytes, list[float]], now: datetime) -> None:
    """Store the hits of held mailboxes."""
    if not hits:
        return
    # They are all there, yet this goes by the key in any case; how an UPDATE finds many rows is
    # PostgreSQL's to choose.
    insert = insert_or(tx, mailboxes)
    change = insert.on_conflict_do_update(
        index_elements=["digest"], set_={"hits": insert.excluded.hits, "updated_at": now}
    )
    columns = (mailboxes.c.digest, mailboxes.c.hits)
    await insert_each(tx, change, columns, hits.items(), updated_at=now)


async def sweep_mailboxes(tx: Transaction, before: datetime, limit: int) -> int:
    """Forget mailboxes that nobody asked about since that instant."""
    return await delete_before(tx, mailboxes.c.updated_at, before, limit)
