"""Process requests: who is meant, and does a mail go out? One transaction a batch.

The limits of a mailbox are decided before anyone is looked up, so that they are the same whether
the address exists or not. The outcome is for operators; the caller was answered long before.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from authreset.flows.limit_mailbox import MailboxCounts, asked_digest
from authreset.flows.mail_links import Batch, ProcessingRules, mail_links
from authreset.rules.addresses import address_key, mailbox_key
from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import RequestOutcome
from authreset.rules.tenancy import are_related
from authreset.store.database import Database, Transaction, is_outage
from authreset.store.events import add_events
from authreset.store.letters import add_letters
from authreset.store.requests import Settlement, WaitingRequest, claim_waiting, put_off, settle
from authreset.store.resets import add_resets
from authreset.store.users import (
    User,
    find_users,
    find_users_by_email,
    load_role_paths,
    lock_users,
)

PUT_OFF = timedelta(minutes=1)


class BatchFailed(Exception):
    """A batch could not be processed and was rolled back; `ids` are its requests."""

    def __init__(self, ids: list[UUID]) -> None:
        super().__init__(f"a batch of {len(ids)} requests failed")
        self.ids = ids


async def process_requests(
    database: Database, rules: ProcessingRules, limit: int
) -> list[Settlement]:
    """Settle up to `limit` waiting requests and return what became of them.

    One that fails by a fault of ours is put off for a minute, and its neighbours go on. Raises
    StoreUnavailable when the database is away; then nothing has changed.
    """
    try:
        return await _process_batch(database, rules, limit)
    except BatchFailed as failed:
        if len(failed.ids) > 1:
            return await _process_singly(database, rules, len(failed.ids))
        async with database.begin() as tx:
            reason = type(failed.__cause__).__name__
            await put_off(tx, failed.ids, reason, rules.clock() + PUT_OFF)
        raise


async def _process_singly(
    database: Database, rules: ProcessingRules, count: int
) -> list[Settlement]:
    settled: list[Settlement] = []
    failure: BatchFailed | None = None
    for _ in range(count):
        try:
            settled += await process_requests(database, rules, 1)
        except BatchFailed as failed:
            failure = failed
    if failure is not None and not settled:
        raise failure
    return settled


async def _process_batch(
    database: Database, rules: ProcessingRules, limit: int
) -> list[Settlement]:
    async with database.begin() as tx:
        batch = Batch(rules.clock())
        waiting = await claim_waiting(tx, batch.now, limit)
        if not waiting:
            return []
        try:
            await _decide(tx, rules, batch, waiting)
            await _write(tx, batch)
        except Exception as error:
            if is_outage(error):
                raise
            raise BatchFailed([one.id for one in waiting]) from error
        return batch.settlements


async def _decide(
    tx: Transaction, rules: ProcessingRules, batch: Batch, waiting: Sequence[WaitingRequest]
) -> None:
    callers = await find_users(tx, {one.user_id for one in waiting if one.user_id is not None})
    mailable = await _apply_limits(tx, rules, batch, waiting, callers)
    subjects = await _find_subjects(tx, mailable, callers)
    # Holding the users keeps two workers from making two resets for one of them.
    held = await lock_users(tx, subjects.values())
    paths = await load_role_paths(tx, list(held))
    users = {id: held[user_id] for id, user_id in subjects.items() if user_id in held}
    await mail_links(tx, rules, batch, _judge_all(batch, mailable, users, paths))


async def _apply_limits(
    tx: Transaction,
    rules: ProcessingRules,
    batch: Batch,
    waiting: Sequence[WaitingRequest],
    callers: Mapping[int, User],
) -> list[WaitingRequest]:
    """Settle what names nobody and what is over its mailbox's limit; return the rest."""
    named: list[WaitingRequest] = []
    asked: dict[UUID, bytes] = {}
    for request in waiting:
        caller = callers.get(request.user_id) if request.user_id is not None else None
        address = request.email or (caller.email if caller else None)
        if address is None:
            batch.settle(request, RequestOutcome.NO_SUBJECT, "the request names nobody")
            continue
        batch.digests[request.id] = rules.keyring.mailbox_digest(mailbox_key(address))
        asked[request.id] = asked_digest(rules.keyring, request.entity_id, address)
        named.append(request)
    counts = MailboxCounts(rules.mailbox, batch.now)
    await counts.hold(tx, asked.values())
    allowed: list[WaitingRequest] = []
    for request in named:
        if limit := counts.take(asked[request.id]):
            batch.settle(request, RequestOutcome.LIMITED, f"mailbox limit: {limit}")
        else:
            allowed.append(request)
    await counts.save(tx)
    return allowed


async def _find_subjects(
    tx: Transaction, requests: Iterable[WaitingRequest], callers: Mapping[int, User]
) -> dict[UUID, int]:
    keys = {one.id: (one.root_id, address_key(one.email)) for one in requests if one.email}
    users = await find_users_by_email(tx, keys.values())
    found = {one.id: users.get(keys[one.id]) for one in requests if one.id in keys}
    found |= {one.id: callers.get(one.user_id) for one in requests if one.user_id is not None}
    return {id: user.id for id, user in found.items() if user is not None}


def _judge_all(
    batch: Batch,
    requests: Iterable[WaitingRequest],
    subjects: Mapping[UUID, User],
    paths: Mapping[int, Sequence[str]],
) -> list[tuple[WaitingRequest, User]]:
    mailed: list[tuple[WaitingRequest, User]] = []
    for request in requests:
        user = subjects.get(request.id)
        if user is None:
            batch.settle(request, RequestOutcome.NO_USER, "no user has that address")
        elif user.status not in (UserStatus.ACTIVE, UserStatus.LOCKED):
            batch.settle(request, RequestOutcome.INACTIVE, f"status {int(user.status)}")
        elif not any(are_related(path, request.entity_path) for path in paths[user.id]):
            batch.settle(request, RequestOutcome.OUT_OF_SCOPE, "no role at or around the entry")
        else:
            mailed.append((request, user))
    return mailed


async def _write(tx: Transaction, batch: Batch) -> None:
    await add_resets(tx, batch.resets)
    await add_letters(tx, batch.letters)
    await settle(tx, batch.settlements, batch.now)
    await add_events(tx, batch.events)
