"""Letters: leased, fenced, given back, tried again; no two senders record for one of them."""

import asyncio
from datetime import datetime, timedelta

import pytest

from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import LetterState
from authreset.store.database import Database, Transaction
from authreset.store.letters import (
    Attempt,
    LeasedLetter,
    NewLetter,
    add_letters,
    change_reset,
    count_by_state,
    find_letters,
    find_waiting_letters,
    hasten_unreachable,
    lease_due,
    list_letters,
    list_user_letters,
    next_due_at,
    oldest_waiting_at,
    record_attempts,
    release,
)
from authreset.store.resets import add_resets
from tests.support.databases import START, SeededBytes, Tree, new_letter, new_reset

LEASE = timedelta(minutes=5)


@pytest.fixture
async def letter(database: Database, tree: Tree, random_bytes: SeededBytes) -> NewLetter:
    """Store a letter that carries the link of a reset."""
    user_id = tree.users[UserStatus.ACTIVE]
    reset = new_reset(random_bytes, user_id, tree.shop)
    made = new_letter(random_bytes, user_id, tree.shop, reset=reset)
    async with database.begin() as tx:
        await add_resets(tx, [reset])
        await add_letters(tx, [made])
    return made


async def lease(tx: Transaction, now: datetime = START, limit: int = 10) -> list[LeasedLetter]:
    return await lease_due(tx, now, lease=LEASE, limit=limit)


def accepted(letter: LeasedLetter, at: datetime = START) -> Attempt:
    return Attempt(
        letter=letter, state=LetterState.ACCEPTED, at=at, due_at=at,
        smtp_code=250, smtp_text="queued as 4XyZ", queue_id="4XyZ",
    )  # fmt: skip


def deferred(letter: LeasedLetter, due_at: datetime, code: int | None = None) -> Attempt:
    return Attempt(
        letter=letter, state=LetterState.DEFERRED, at=START, due_at=due_at,
        smtp_code=code, smtp_text="not now",
    )  # fmt: skip


async def test_a_leased_letter_is_whole_and_nobody_elses(
    database: Database, letter: NewLetter
) -> None:
    async with database.begin() as tx:
        (leased,) = await lease(tx)
        assert await lease(tx) == []
    for name in NewLetter.__slots__:
        assert getattr(leased, name) == getattr(letter, name)
    assert (leased.lease, leased.lease_ends_at) == (1, START + LEASE)
    assert (leased.attempts, leased.first_attempt_at) == (0, None)


async def test_a_letter_is_not_leased_before_it_is_due(
    database: Database, letter: NewLetter
) -> None:
    async with database.begin() as tx:
        assert await lease(tx, START - timedelta(microseconds=1)) == []
        assert await next_due_at(tx) == START


async def test_an_accepted_letter_is_finished(database: Database, letter: NewLetter) -> None:
    at = START + timedelta(seconds=3)
    async with database.begin() as tx:
        (leased,) = await lease(tx)
        assert await record_attempts(tx, [accepted(leased, at)]) == {letter.id}
        assert await lease(tx, START + timedelta(days=9)) == []
        row = (await find_letters(tx, [letter.id]))[letter.id]
    assert (row["state"], row["finished_at"], row["first_attempt_at"]) == ("accepted", at, at)
    assert (row["smtp_code"], row["queue_id"], row["attempts"]) == (250, "4XyZ", 1)


async def test_a_deferred_letter_is_tried_again_when_it_is_due(
    database: Database, letter: NewLetter
) -> None:
    again_at = START + timedelta(minutes=1)
    async with database.begin() as tx:
        (leased,) = await lease(tx)
        await record_attempts(tx, [deferred(leased, again_at, code=451)])
    async with database.begin() as tx:
        assert await lease(tx, again_at - timedelta(seconds=1)) == []
        (retried,) = await lease(tx, again_at)
    assert (retried.attempts, retried.first_attempt_at, retried.lease) == (1, START, 2)


async def test_a_lease_runs_out_and_its_old_holder_records_nothing(
    database: Database, letter: NewLetter
) -> None:
    async with database.begin() as tx:
        (stale,) = await lease(tx)
        assert await lease(tx, START + LEASE - timedelta(seconds=1)) == []
    async with database.begin() as tx:
        (fresh,) = await lease(tx, START + LEASE)
    async with database.begin() as tx:
        assert await record_attempts(tx, [deferred(stale, START)]) == set()
        await release(tx, [stale], START)
        row = (await find_letters(tx, [letter.id]))[letter.id]
        assert (row["state"], row["due_at"]) == ("sending", START + LEASE + LEASE)
        assert await record_attempts(tx, [accepted(fresh)]) == {letter.id}
        assert await record_attempts(tx, [accepted(fresh)]) == set()  # once


async def test_a_late_holder_may_record_while_nobody_took_over(
    database: Database, letter: NewLetter
) -> None:
    async with database.begin() as tx:
        (leased,) = await lease(tx)
    async with database.begin() as tx:
        assert await record_attempts(tx, [accepted(leased, START + 3 * LEASE)]) == {letter.id}


async def test_a_released_letter_is_due_at_once_and_untried(
    database: Database, letter: NewLetter
) -> None:
    now = START + timedelta(seconds=7)
    async with database.begin() as tx:
        (leased,) = await lease(tx)
        await release(tx, [leased], now)
        assert (await count_by_state(tx))["queued"] == 1
        (again,) = await lease(tx, now)
    assert (again.attempts, again.lease) == (0, 2)


async def test_long_answers_of_a_mail_server_are_cut(database: Database, letter: NewLetter) -> None:
    async with database.begin() as tx:
        (leased,) = await lease(tx)
        failed = Attempt(
            letter=leased, state=LetterState.FAILED, at=START, due_at=START,
            smtp_code=550, smtp_text="x" * 900, queue_id="q" * 900,
        )  # fmt: skip
        assert await record_attempts(tx, [failed]) == {letter.id}
        row = (await find_letters(tx, [letter.id]))[letter.id]
    assert (len(row["smtp_text"]), len(row["queue_id"])) == (250, 200)
    assert (row["state"], row["finished_at"]) == ("failed", START)


async def test_only_letters_that_met_no_server_are_hastened(
    database: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    tomorrow = START + timedelta(days=1)
    made = [new_letter(random_bytes, tree.stranger, tree.other) for _ in range(3)]
    async with database.begin() as tx:
        await add_letters(tx, made)
        by_id = {one.id: one for one in await lease(tx)}
        unreachable, refused = by_id[made[0].id], by_id[made[1].id]
        await record_attempts(
            tx, [deferred(unreachable, tomorrow), deferred(refused, tomorrow, code=451)]
        )
        now = START + timedelta(minutes=1)
        assert await hasten_unreachable(tx, now) == 1
        assert [one.id for one in await lease(tx, now)] == [unreachable.id]


async def test_counts_tell_where_unfinished_letters_stand(
    database: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    made = [
        new_letter(random_bytes, tree.stranger, tree.other, now=START + timedelta(seconds=n))
        for n in range(4)
    ]
    async with database.begin() as tx:
        assert await oldest_waiting_at(tx) is None
        await add_letters(tx, made)
        leased = await lease(tx, START + timedelta(seconds=2))
        by_id = {one.id: one for one in leased}
        attempts = [accepted(by_id[made[0].id]), deferred(by_id[made[1].id], START)]
        await record_attempts(tx, attempts)
        assert await count_by_state(tx) == {"queued": 1, "sending": 1, "deferred": 1}
        assert await oldest_waiting_at(tx) == START + timedelta(seconds=1)
        assert [one["id"] for one in await list_letters(tx, limit=2)] == [made[3].id, made[2].id]
        of_user = await list_user_letters(tx, tree.stranger)
        assert [one["id"] for one in of_user] == [one.id for one in made]


async def test_the_waiting_letter_of_a_reset_is_found_until_it_is_finished(
    database: Database, letter: NewLetter, random_bytes: SeededBytes, tree: Tree
) -> None:
    assert letter.reset_id is not None
    async with database.begin() as tx:
        assert await find_waiting_letters(tx, [letter.reset_id]) == {letter.reset_id: letter.id}
        (leased,) = await lease(tx)
        assert await find_waiting_letters(tx, [letter.reset_id]) == {letter.reset_id: letter.id}
        await record_attempts(tx, [accepted(leased)])
        assert await find_waiting_letters(tx, [letter.reset_id]) == {}


async def test_a_letter_can_carry_another_link(
    database: Database, letter: NewLetter, random_bytes: SeededBytes, tree: Tree
) -> None:
    fresh = new_reset(random_bytes, tree.stranger, tree.other)
    async with database.begin() as tx:
        await add_resets(tx, [fresh])
        await change_reset(tx, letter.id, fresh.id)
        (leased,) = await lease(tx)
    assert leased.reset_id == fresh.id


async def test_a_rolled_back_lease_is_none(
    database: Database, another: Database, letter: NewLetter
) -> None:
    async with database.begin() as tx:
        assert len(await lease(tx)) == 1
        await tx.rollback()
    async with another.begin() as tx:
        (leased,) = await lease(tx)
    assert leased.lease == 1


async def test_many_mailers_lease_each_letter_once_and_no_more_than_they_asked(
    database: Database, another: Database, tree: Tree, random_bytes: SeededBytes
) -> None:
    made = [
        new_letter(random_bytes, tree.stranger, entity)
        for entity, count in ((tree.shop, 40), (tree.other, 10))
        for _ in range(count)
    ]
    async with database.begin() as tx:
        await add_letters(tx, made)
    taken: list[LeasedLetter] = []

    async def work(db: Database) -> None:
        while True:
            async with db.begin() as tx:
                leased = await lease(tx, limit=6)
            assert len(leased) <= 6
            taken.extend(leased)
            if not leased:
                return

    await asyncio.gather(*(work(db) for db in (database, another) * 3))
    assert sorted(str(one.id) for one in taken) == sorted(str(one.id) for one in made)
