"""What becomes of a request: every outcome, the limits, the same link again, and no half batch."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from authreset.flows.limit_mailbox import asked_digest, sent_digest
from authreset.flows.mail_links import ProcessingRules
from authreset.flows.process_requests import BatchFailed, process_requests
from authreset.rules.keyrings import KeyRing, SecretKey
from authreset.rules.limits import MailboxPolicy
from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import RequestOutcome
from authreset.rules.tokens import derive_reset_token, digest_token
from authreset.store.database import Database
from authreset.store.entities import change_settings
from authreset.store.events import list_user_events
from authreset.store.letters import Attempt, LetterState, lease_due, record_attempts
from authreset.store.resets import find_resets, start_lifetimes
from authreset.store.tables import events, letters, mailboxes, requests, resets, users
from tests.flows.processing import ACTIVE, KEYS, Bench, processing_rules, rows_of
from tests.support.databases import EMAILS, FakeClock, open_database

UNKNOWN = "nobody@example.com"


@pytest.fixture
async def bench(database: Database, clock: FakeClock) -> Bench:
    return await Bench.set_up(database, clock)


async def accept_letters(bench: Bench) -> int:
    """Let the mail server accept what waits, as the mailer records it."""
    async with bench.database.begin() as tx:
        leased = await lease_due(tx, bench.clock(), lease=timedelta(minutes=5), limit=100)
        accepted = [
            Attempt(letter=one, state=LetterState.ACCEPTED, at=bench.clock(), due_at=bench.clock())
            for one in leased
        ]
        await record_attempts(tx, accepted)
        found = await find_resets(tx, [one.reset_id for one in leased if one.reset_id])
        await start_lifetimes(tx, [(one, bench.clock()) for one in found.values()])
    return len(leased)


class TestOutcomes:
    @pytest.mark.parametrize(
        ("email", "outcome"),
        [
            (ACTIVE, "mailed"),
            (EMAILS[UserStatus.LOCKED], "mailed"),
            (EMAILS[UserStatus.INACTIVE], "inactive"),
            (EMAILS[UserStatus.DELETED], "no_user"),
            (UNKNOWN, "no_user"),
            (None, "no_subject"),
        ],
    )
    async def test_depends_on_whom_the_request_names(self, bench, email, outcome):
        request_id = await bench.ask(email)
        (settlement,) = await bench.settle()
        assert (settlement.request_id, settlement.outcome) == (request_id, outcome)
        row = await bench.request(request_id)
        assert row["outcome"] == outcome
        assert row["reason"]
        assert row["settled_at"] == bench.clock()
        mailed = outcome == "mailed"
        assert len(await bench.letters()) == len(await bench.resets()) == mailed
        assert (row["letter_id"] is not None) == mailed

    async def test_mail_is_for_the_user_of_the_tokens_own_root(self, bench):
        await bench.ask(ACTIVE)
        await bench.settle()
        (letter,) = await bench.letters()
        assert letter["user_id"] == bench.tree.users[UserStatus.ACTIVE]
        await bench.ask(ACTIVE, bench.tree.other)
        bench.clock.advance(minutes=2)
        await bench.settle()
        assert (await bench.letters())[-1]["user_id"] == bench.tree.stranger

    async def test_recipient_is_the_stored_address_never_the_typed_one(self, bench):
        await bench.ask("ACTIVE@Example.COM")
        await bench.settle()
        (letter,) = await bench.letters()
        assert letter["recipient"] == ACTIVE

    async def test_session_names_its_user_by_id(self, bench):
        request_id = await bench.ask(None, user_id=bench.tree.users[UserStatus.ACTIVE])
        await bench.settle()
        assert (await bench.request(request_id))["outcome"] == "mailed"
        (letter,) = await bench.letters()
        assert letter["recipient"] == ACTIVE

    async def test_session_of_a_user_that_is_gone_names_nobody(self, bench):
        assert await bench.outcome_of(None, user_id=999_999_999) == "no_subject"

    async def test_letter_says_where_the_request_came_from(self, bench):
        await bench.ask(client_address="203.0.113.7")
        await bench.settle()
        (letter,) = await bench.letters()
        assert letter["client_address"] == "203.0.113.7"

    async def test_reset_leaves_an_event_and_no_token(self, bench):
        await bench.ask()
        await bench.settle()
        async with bench.database.read() as tx:
            (event,) = await list_user_events(tx, bench.tree.users[UserStatus.ACTIVE])
        (reset,) = await bench.resets()
        assert (event.kind, event.subject_id) == ("reset.made", str(reset["id"]))

    async def test_nothing_waiting_settles_nothing(self, bench):
        assert await bench.settle() == []

    async def test_settled_requests_are_not_settled_again(self, bench):
        await bench.ask()
        assert len(await bench.settle()) == 1
        assert await bench.settle() == []

    async def test_batch_takes_no_more_than_its_limit(self, bench):
        await bench.ask_often(5, UNKNOWN)
        assert [len(await bench.settle(limit=3)) for _ in range(3)] == [3, 2, 0]


class TestScope:
    @pytest.mark.parametrize(
        ("held_at", "asked_at", "outcome"),
        [
            ("shop", "shop", "mailed"),
            ("root", "shop", "mailed"),  # the role cascades down to where it is asked
            ("shop", "root", "mailed"),  # the front end stands above the paypoint
            ("sub", "stall", "mailed"),
            ("stall", "sub", "mailed"),
            ("shop", "stall", "out_of_scope"),
            ("shop", "sub", "out_of_scope"),
            ("sub", "shop", "out_of_scope"),
        ],
    )
    async def test_role_counts_above_and_below_but_not_beside(
        self, bench, held_at, asked_at, outcome
    ):
        await bench.add_active_user("scope@example.com", getattr(bench.tree, held_at))
        got = await bench.outcome_of("scope@example.com", getattr(bench.tree, asked_at))
        assert got == outcome

    async def test_user_of_another_root_is_unknown_here(self, bench):
        bench.clock.advance(minutes=5)
        async with bench.database.begin() as tx:
            await tx.execute(
                update(users)
                .where(users.c.id == bench.tree.stranger)
                .values(email="far@example.com", email_key="far@example.com")
            )
        assert await bench.outcome_of("far@example.com", bench.tree.root) == "no_user"
        bench.clock.advance(minutes=5)
        assert await bench.outcome_of("far@example.com", bench.tree.other) == "mailed"


class TestTheSameLinkAgain:
    async def test_token_derived_twice_is_equal_and_only_its_digest_is_kept(self, bench):
        await bench.ask()
        await bench.settle()
        (reset,) = await bench.resets()
        key = KEYS.find(reset["key_id"])
        token, again = (derive_reset_token(reset["id"], key) for _ in range(2))
        assert token == again
        assert reset["token_digest"] == digest_token(token)

    async def test_repeat_while_the_letter_waits_joins_it(self, bench):
        first = await bench.ask()
        await bench.settle()
        bench.clock.advance(minutes=2)
        second = await bench.ask()
        await bench.settle()
        rows = [await bench.request(one) for one in (first, second)]
        assert [row["outcome"] for row in rows] == ["mailed", "repeated"]
        assert rows[0]["letter_id"] == rows[1]["letter_id"]
        assert len(await bench.letters()) == len(await bench.resets()) == 1

    async def test_repeat_after_the_mail_sends_the_same_reset_in_a_new_letter(self, bench):
        await bench.ask()
        await bench.settle()
        assert await accept_letters(bench) == 1
        bench.clock.advance(minutes=2)
        assert await bench.outcome_of() == "repeated"
        first, second = await bench.letters()
        assert first["reset_id"] == second["reset_id"]
        assert first["id"] != second["id"]

    async def test_repeat_after_the_lifetime_makes_a_fresh_reset(self, bench):
        await bench.ask()
        await bench.settle()
        await accept_letters(bench)
        bench.clock.advance(minutes=61)
        assert await bench.outcome_of() == "mailed"
        old, new = await bench.resets()
        assert (old["end_reason"], new["ended_at"]) == ("expired", None)
        assert old["token_digest"] != new["token_digest"]

    async def test_reset_is_over_a_day_after_it_was_made_however_often_it_was_sent(self, bench):
        bench.rules = replace(bench.rules, link_lifetime=timedelta(hours=10))
        await bench.ask()
        await bench.settle()
        for _ in range(2):
            await accept_letters(bench)
            bench.clock.advance(hours=9)
            assert await bench.outcome_of() == "repeated"
        await accept_letters(bench)
        bench.clock.advance(hours=6)
        assert await bench.outcome_of() == "mailed"
        assert len(await bench.resets()) == 2

    async def test_repeats_in_one_batch_share_one_letter(self, bench):
        bench.rules = processing_rules(bench.clock, bench.random_bytes, mailbox=None)
        await bench.ask_often(5)
        outcomes = [one.outcome for one in await bench.settle()]
        assert outcomes == ["mailed"] + ["repeated"] * 4
        assert len(await bench.letters()) == len(await bench.resets()) == 1

    async def test_lifetime_comes_from_the_node_that_was_asked_at(self, bench):
        async with bench.database.begin() as tx:
            await change_settings(tx, bench.tree.root.id, {"link_minutes": 15})
        await bench.ask(ACTIVE, bench.tree.shop)
        await bench.settle()
        (reset,) = await bench.resets()
        assert reset["lifetime_seconds"] == 15 * 60
        assert reset["deadline_at"] == bench.clock() + timedelta(hours=24)
        assert reset["expires_at"] is None  # it starts when a mail is accepted


SPELLINGS = ["Active@Example.com", "ACTIVE@EXAMPLE.COM", "active@example.com", "Active@example.COM"]


class TestLimitsOfAMailbox:
    """They stand before any look-up, so an unknown address meets the very same ones."""

    @pytest.mark.parametrize("email", [ACTIVE, UNKNOWN])
    async def test_one_a_minute(self, bench, email):
        passed = "mailed" if email == ACTIVE else "no_user"
        repeated = "repeated" if email == ACTIVE else "no_user"
        assert await bench.outcome_of(email) == passed
        bench.clock.advance(seconds=59)
        assert await bench.outcome_of(email) == "limited"
        bench.clock.advance(seconds=1)
        assert await bench.outcome_of(email) == repeated

    @pytest.mark.parametrize("email", [ACTIVE, UNKNOWN])
    async def test_five_an_hour(self, bench, email):
        for _ in range(5):
            assert await bench.outcome_of(email) != "limited"
            bench.clock.advance(minutes=2)
        assert await bench.outcome_of(email) == "limited"
        bench.clock.advance(minutes=50)  # an hour after the first
        assert await bench.outcome_of(email) != "limited"
        assert await bench.outcome_of(email) == "limited"

    @pytest.mark.parametrize("email", [ACTIVE, UNKNOWN])
    async def test_twenty_a_day(self, bench, email):
        for _ in range(20):
            assert await bench.outcome_of(email) != "limited"
            bench.clock.advance(minutes=20)
        assert await bench.outcome_of(email) == "limited"
        bench.clock.advance(hours=24, minutes=-400)  # a day after the first
        assert await bench.outcome_of(email) != "limited"

    async def test_every_spelling_of_an_address_counts_as_one(self, bench):
        outcomes = [await bench.outcome_of(spelling) for spelling in SPELLINGS]
        assert outcomes == ["mailed", "limited", "limited", "limited"]

    async def test_tagged_users_share_one_mailbox(self, bench):
        await bench.add_active_user("someone+a@example.com")
        await bench.add_active_user("someone+b@example.com")
        assert await bench.outcome_of("someone+a@example.com") == "mailed"
        await accept_letters(bench)
        assert await bench.outcome_of("someone+b@example.com") == "limited"

    async def test_stranger_cannot_use_up_what_the_owner_gets_by_other_spellings(self, bench):
        """Each of these mails nobody; counted by mailbox, they would have silenced the owner."""
        local, _, domain = ACTIVE.partition("@")
        for number in range(20):
            assert await bench.outcome_of(f"{local}+{number}@{domain}") == "no_user"
            bench.clock.advance(minutes=20)
        assert await bench.outcome_of(ACTIVE) == "mailed"

    async def test_stranger_cannot_use_up_what_the_owner_gets_in_another_organisation(self, bench):
        for _ in range(20):
            await bench.outcome_of(ACTIVE, bench.tree.other)
            bench.clock.advance(minutes=20)
        assert await bench.outcome_of(ACTIVE, bench.tree.root) == "mailed"

    async def test_session_and_typed_address_count_together(self, bench):
        assert await bench.outcome_of(ACTIVE) == "mailed"
        user_id = bench.tree.users[UserStatus.ACTIVE]
        assert await bench.outcome_of(None, user_id=user_id) == "limited"

    async def test_count_is_kept_under_a_keyed_digest_alike_for_known_and_unknown(self, bench):
        await bench.ask(ACTIVE)
        await bench.ask(UNKNOWN)
        await bench.settle()
        kept = {row["digest"]: row["hits"] for row in await bench.rows(mailboxes)}
        now = bench.clock().timestamp()
        root = bench.tree.root.id
        asked = {asked_digest(KEYS, root, email): [now] for email in (ACTIVE, UNKNOWN)}
        assert kept == asked | {sent_digest(KEYS, root, ACTIVE): [now]}

    async def test_over_the_limit_is_recorded_with_its_reason_and_nobody_is_mailed(self, bench):
        await bench.ask()
        await bench.settle()
        await accept_letters(bench)
        request_id = await bench.ask()
        await bench.settle()
        row = await bench.request(request_id)
        assert (row["outcome"], row["reason"]) == ("limited", "mailbox limit: spacing")
        assert len(await bench.letters()) == 1

    async def test_limits_that_are_off_stop_nothing(self, bench):
        bench.rules = processing_rules(bench.clock, bench.random_bytes, mailbox=None)
        await bench.ask_often(30)
        assert Counter(one.outcome for one in await bench.settle()) == {
            RequestOutcome.MAILED: 1,
            RequestOutcome.REPEATED: 29,
        }
        assert await bench.rows(mailboxes) == []

    async def test_limits_of_a_policy_of_its_own(self, bench):
        policy = MailboxPolicy(per_hour=1, per_day=1, spacing=timedelta(0))
        bench.rules = processing_rules(bench.clock, bench.random_bytes, mailbox=policy)
        outcomes = [await bench.outcome_of(UNKNOWN) for _ in range(2)]
        assert outcomes == ["no_user", "limited"]


async def spoil_status(bench: Bench, user_id: int) -> None:
    async with bench.database.begin() as tx:
        await tx.execute(update(users).where(users.c.id == user_id).values(status=42))


class TestRetiredKeys:
    """The link of a key that is configured no more works for nobody."""

    async def test_next_request_gets_a_link_that_works(self, bench):
        await bench.ask()
        await bench.settle()
        await accept_letters(bench)
        bench.clock.advance(minutes=5)
        newer = SecretKey(b"a newer key of these tests, of 32")
        bench.rules = replace(bench.rules, keyring=KeyRing([newer]))
        assert await bench.outcome_of() == "mailed"
        (live,) = await bench.resets(live=True)
        assert live["key_id"] == newer.id
        letters_by_reset = {row["reset_id"]: row["state"] for row in await bench.letters()}
        assert letters_by_reset[live["id"]] == "queued"

    async def test_link_of_an_older_key_that_is_still_there_is_sent_again(self, bench):
        await bench.ask()
        await bench.settle()
        await accept_letters(bench)
        bench.clock.advance(minutes=5)
        newer = SecretKey(b"a newer key of these tests, of 32")
        bench.rules = replace(bench.rules, keyring=KeyRing([newer, KEYS.current]))
        assert await bench.outcome_of() == "repeated"


class TestFaults:
    async def test_batch_that_fails_while_it_is_written_leaves_nothing_behind(self, bench):
        await bench.ask()
        await bench.settle()
        (letter,) = await bench.letters()
        await bench.add_active_user("second@example.com")
        ids = iter(
            [bench.random_bytes.uuid(), letter["id"]]
        )  # a fresh reset, a letter that clashes
        bench.rules = processing_rules(bench.clock, bench.random_bytes, new_id=lambda: next(ids))
        request_id = await bench.ask("second@example.com")
        before = {table: await bench.rows(table) for table in (resets, letters, mailboxes, events)}
        with pytest.raises(BatchFailed):
            await bench.settle()
        for table, rows in before.items():
            assert await bench.rows(table) == rows, table.name
        row = await bench.request(request_id)
        assert (row["outcome"], row["attempts"]) == (None, 1)

    async def test_request_that_fails_is_put_off_for_a_minute_and_then_mailed(self, bench):
        user_id = bench.tree.users[UserStatus.ACTIVE]
        await spoil_status(bench, user_id)
        request_id = await bench.ask()
        with pytest.raises(BatchFailed):
            await bench.settle()
        assert await bench.settle() == []  # its turn has not come
        row = await bench.request(request_id)
        assert (row["reason"], row["due_at"]) == ("ValueError", bench.clock.advance(minutes=1))
        async with bench.database.begin() as tx:
            await tx.execute(update(users).where(users.c.id == user_id).values(status=1))
        (settlement,) = await bench.settle()
        assert settlement.outcome == "mailed"

    async def test_poison_row_does_not_stop_its_neighbours(self, bench):
        poisoned = await bench.add_active_user("poison@example.com")
        await bench.add_active_user("good@example.com")
        await spoil_status(bench, poisoned)
        emails = ["good@example.com", "poison@example.com", UNKNOWN, ACTIVE]
        ids = [await bench.ask(email) for email in emails]
        outcomes = {one.request_id: one.outcome for one in await bench.settle()}
        assert outcomes == {ids[0]: "mailed", ids[2]: "no_user", ids[3]: "mailed"}
        assert (await bench.request(ids[1]))["outcome"] is None
        assert len(await bench.letters()) == 2

    async def test_neighbours_are_counted_once_though_the_batch_was_tried_twice(self, bench):
        poisoned = await bench.add_active_user("poison@example.com")
        await spoil_status(bench, poisoned)
        await bench.ask("poison@example.com")
        await bench.ask(UNKNOWN)
        await bench.settle()
        kept = {row["digest"]: row["hits"] for row in await bench.rows(mailboxes)}
        assert len(kept[asked_digest(KEYS, bench.tree.root.id, UNKNOWN)]) == 1


@pytest.fixture
async def workers(postgres_url: str) -> AsyncIterator[list[Database]]:
    """Open one database four times, as four processes do."""
    opened = [open_database(postgres_url) for _ in range(4)]
    yield opened
    for one in opened:
        await one.close()


class TestManyWorkers:
    async def test_make_one_reset_and_one_letter_a_user(self, workers, clock):
        bench = await Bench.set_up(workers[0], clock)
        emails = [f"user{n}@example.com" for n in range(6)]
        for email in emails:
            await bench.add_active_user(email)
        rules = replace(bench.rules, mailbox=None)
        first = await settle_together(workers, rules, bench, emails)
        assert first == {"mailed": 6, "repeated": 294}
        assert Counter(row["recipient"] for row in await bench.letters()) == Counter(emails)
        await accept_letters(bench)
        second = await settle_together(workers, rules, bench, emails)
        assert second == {"repeated": 300}
        assert Counter(row["recipient"] for row in await bench.letters()) == Counter(emails * 2)
        live = Counter(row["user_id"] for row in await bench.resets(live=True))
        assert list(live.values()) == [1] * 6
        assert all(row["attempts"] == 0 for row in await bench.rows(requests))

    async def test_keep_the_limits_of_a_mailbox(self, workers, clock):
        bench = await Bench.set_up(workers[0], clock)
        for _ in range(3):
            clock.advance(minutes=2)
            settled = await settle_together(workers, bench.rules, bench, [UNKNOWN])
            assert settled == {"no_user": 1, "limited": 49}


async def settle_together(
    workers: list[Database], rules: ProcessingRules, bench: Bench, emails: list[str]
) -> Counter[str]:
    """Ask fifty times for each address, in turns, and let all workers settle at once."""
    for email in emails:  # each a microsecond after the one before: their rows lie in turns
        await bench.ask_often(50, email)
    settled = await asyncio.gather(*(settle_everything(one, rules) for one in workers))
    assert sum(len(one) > 0 for one in settled) > 1, "one worker did it all: nothing was shown"
    return Counter(outcome for one in settled for outcome in one)


async def settle_everything(
    database: Database, rules: ProcessingRules, limit: int = 7
) -> list[str]:
    """Work as one process does, until nothing waits any more."""
    outcomes: list[str] = []
    while True:
        settled = await process_requests(database, rules, limit)
        outcomes += [one.outcome.value for one in settled]
        if not settled and not await waiting(database):
            return outcomes
        await asyncio.sleep(0)


async def waiting(database: Database) -> int:
    return sum(row["outcome"] is None for row in await rows_of(database, requests))
