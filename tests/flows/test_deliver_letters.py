"""A letter's way to the mail server: what starts a lifetime, what is tried again, what is final."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.engine import make_url

from authreset.flows.deliver_letters import LEASE, Mailer
from authreset.rules.keyrings import KeyRing, SecretKey
from authreset.rules.outcomes import ResetEnd
from authreset.rules.retry import RetryPolicy
from authreset.rules.tokens import digest_token
from authreset.store.database import Database
from authreset.store.entities import change_settings
from authreset.store.letters import add_letters
from authreset.store.resets import end_resets
from tests.flows.posting import PostOffice, make_mailer, post_office
from tests.flows.processing import ACTIVE, KEYS, LINK_LIFETIME, Bench
from tests.support.databases import FakeClock, new_letter, open_database
from tests.support.wire import Wire

NEWER_KEY = SecretKey(b"a newer key of these tests, of 32")


@pytest.fixture
async def office(database: Database, clock: FakeClock) -> AsyncIterator[PostOffice]:
    bench = await Bench.set_up(database, clock)
    bench.rules = replace(bench.rules, mailbox=None)
    async with post_office(bench) as opened:
        yield opened


class TestAcceptance:
    async def test_is_recorded_with_the_servers_words(self, office):
        office.server.accepted_reply = "250 2.0.0 Ok: queued as 4F3A"
        report = await office.mail_reset()
        assert (report.recorded, report.reachable) == (True, True)
        letter = await office.letter()
        assert letter["state"] == "accepted"
        assert (letter["smtp_code"], letter["queue_id"]) == (250, "4F3A")
        assert (letter["attempts"], letter["finished_at"]) == (1, office.bench.clock())
        assert [mail.recipients for mail in office.server.mails] == [[ACTIVE]]

    async def test_link_in_the_mail_is_the_resets_own(self, office):
        await office.mail_reset()
        assert digest_token(office.token()) == (await office.reset())["token_digest"]

    async def test_link_starts_with_the_tenants_own_address_where_it_has_one(self, office):
        async with office.bench.database.begin() as tx:
            settings = {"public_url": "https://login.pilgrim.example"}
            await change_settings(tx, office.bench.tree.root.id, settings)
        await office.mail_reset()
        assert office.server.mails[0].links[0].startswith("https://login.pilgrim.example/reset/r.")

    async def test_starts_the_lifetime(self, office):
        bench = office.bench
        await bench.ask()
        await bench.settle()
        assert (await office.reset())["expires_at"] is None
        accepted_at = bench.clock.advance(hours=3)
        await office.post()
        assert (await office.reset())["expires_at"] == accepted_at + LINK_LIFETIME

    async def test_of_a_repeat_renews_it_with_the_same_link(self, office):
        await office.mail_reset()
        renewed_at = office.bench.clock.advance(minutes=40)
        await office.mail_reset()
        assert (await office.reset())["expires_at"] == renewed_at + LINK_LIFETIME
        assert office.token(0) == office.token(1)

    async def test_never_lets_a_reset_live_beyond_its_day(self, office):
        office.bench.rules = replace(office.bench.rules, link_lifetime=timedelta(hours=10))
        await office.mail_reset()
        made_at = office.bench.clock()
        for _ in range(2):
            office.bench.clock.advance(hours=9)
            await office.mail_reset()
        assert (await office.reset())["expires_at"] == made_at + timedelta(hours=24)

    async def test_letter_without_a_link_goes_out_too(self, office):
        bench = office.bench
        notice = new_letter(bench.random_bytes, bench.tree.stranger, bench.tree.other)
        async with bench.database.begin() as tx:
            await add_letters(tx, [notice])
        (report,) = await office.post()
        assert report.attempt.state == "accepted"
        assert office.server.mails[0].recipients == [notice.recipient]


TEMPORARY = [
    ("CONNECT", "421 4.3.2 shutting down"),
    ("MAIL", "451 4.3.0 try again"),
    ("MAIL", "550 5.7.1 sender refused, which the operator can mend"),
    ("RCPT", "450 4.2.0 greylisted"),
    ("RCPT", "452 4.2.2 mailbox full"),
    ("DATA", "451 4.3.0 try again"),
    ("BODY", "451 4.7.1 try again"),
    ("BODY", "552 5.3.4 mailbox full, as old servers say it"),
]
PERMANENT = [
    ("RCPT", "550 5.1.1 no such user"),
    ("BODY", "554 5.7.1 refused"),
]


class TestFaults:
    @pytest.mark.parametrize(("stage", "reply"), TEMPORARY)
    async def test_temporary_ones_put_the_letter_off_and_start_no_lifetime(
        self, office, stage, reply
    ):
        office.server.reply(stage, reply)
        report = await office.mail_reset()
        letter = await office.letter()
        assert (letter["state"], letter["smtp_code"]) == ("deferred", int(reply[:3]))
        assert letter["due_at"] == office.bench.clock() + timedelta(seconds=5)
        assert letter["finished_at"] is None
        assert (await office.reset())["expires_at"] is None
        assert report.reachable is not reply.startswith("421")
        assert await office.post() == []  # not before its time
        office.bench.clock.advance(seconds=5)
        (report,) = await office.post()
        assert report.attempt.state == "accepted"
        assert (await office.letter())["attempts"] == 2

    @pytest.mark.parametrize(("stage", "reply"), PERMANENT)
    async def test_permanent_ones_are_final(self, office, stage, reply):
        office.server.reply(stage, reply)
        report = await office.mail_reset()
        letter = await office.letter()
        assert (letter["state"], letter["smtp_code"]) == ("failed", int(reply[:3]))
        assert (letter["finished_at"], report.reachable) == (office.bench.clock(), True)
        office.bench.clock.advance(days=1)
        assert await office.post() == []

    async def test_user_asks_again_after_a_permanent_one(self, office):
        office.server.reply("RCPT", "550 5.1.1 no such user")
        await office.mail_reset()
        report = await office.mail_reset()
        assert report.attempt.state == "accepted"

    async def test_no_mail_server_puts_the_letter_off_without_a_code(self, office):
        office.server.stop()
        report = await office.mail_reset()
        assert (report.attempt.state, report.reachable) == ("deferred", False)
        assert (await office.letter())["smtp_code"] is None

    async def test_pauses_grow_to_a_quarter_of_an_hour(self, office):
        office.server.reply("RCPT", "450 4.2.0 greylisted", times=None)
        await office.mail_reset()
        pauses = []
        for _ in range(10):
            pause = (await office.letter())["due_at"] - office.bench.clock()
            pauses.append(pause.total_seconds())
            office.bench.clock.advance(seconds=pause.total_seconds())
            await office.post()
        assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]

    async def test_letter_is_given_up_when_the_policys_time_is_over(self, office):
        office.refit(retry=RetryPolicy(deadline=timedelta(minutes=30)))
        office.server.reply("RCPT", "450 4.2.0 greylisted", times=None)
        await office.mail_reset()
        for _ in range(20):
            office.bench.clock.advance(minutes=5)
            await office.post()
        letter = await office.letter()
        assert letter["state"] == "failed"
        assert letter["smtp_text"].startswith("not accepted within 0.5 hours")
        assert "greylisted" in letter["smtp_text"]

    async def test_lost_reply_sends_the_same_mail_again_with_the_same_message_id(self, office):
        office.server.drop("BODY", keep=True)
        await office.mail_reset()
        office.bench.clock.advance(minutes=1)
        await office.post()
        first, second = office.server.mails
        assert first.message["Message-ID"] == second.message["Message-ID"]
        assert first.raw == second.raw

    async def test_another_letter_has_another_message_id(self, office):
        await office.mail_reset()
        office.bench.clock.advance(minutes=2)
        await office.mail_reset()
        first, second = office.server.mails
        assert first.message["Message-ID"] != second.message["Message-ID"]

    async def test_letter_that_cannot_be_written_is_put_off_with_its_reason(self, office):
        bench = office.bench
        async with bench.database.begin() as tx:
            await change_settings(tx, bench.tree.shop.id, {"accent": "no colour"})
        await bench.ask(ACTIVE, bench.tree.shop)
        await bench.ask(ACTIVE, bench.tree.other)
        await bench.settle()
        reports = await office.post()
        assert sorted(report.attempt.state for report in reports) == ["accepted", "deferred"]
        (letter,) = [row for row in await bench.letters() if row["state"] == "deferred"]
        assert "ValueError" in letter["smtp_text"]
        assert letter["due_at"] > bench.clock()
        (report,) = [one for one in reports if one.attempt.state == "deferred"]
        assert report.reachable is None  # says nothing about the mail server


class TestLeases:
    async def test_letter_is_leased_once(self, office):
        await office.bench.ask()
        await office.bench.settle()
        another = make_mailer(office.bench, office.carrier)
        assert [len(await one.lease(10)) for one in (office.mailer, another)] == [1, 0]

    async def test_lease_that_ran_out_is_taken_by_the_next(self, office):
        await office.bench.ask()
        await office.bench.settle()
        await office.mailer.lease(10)
        office.bench.clock.advance(seconds=LEASE.total_seconds())
        assert len(await office.mailer.lease(10)) == 1

    async def test_nothing_is_begun_that_might_outlast_its_lease(self, office):
        await office.bench.ask()
        await office.bench.settle()
        office.refit(lease=timedelta(minutes=10), sending_takes=timedelta(minutes=4))
        (job,) = await office.mailer.lease(10)
        office.bench.clock.advance(minutes=6, seconds=1)
        assert await office.mailer.deliver(job) is None
        assert office.server.mails == []
        assert (await office.letter())["state"] == "queued"  # given back, due at once

    async def test_stale_lease_records_nothing(self, office):
        await office.bench.ask()
        await office.bench.settle()
        successor = make_mailer(office.bench, office.carrier)
        loop = asyncio.get_running_loop()

        def outlast(_mail):
            """Let the lease run out and the letter be taken over, before the server replies."""
            office.bench.clock.advance(minutes=6)
            asyncio.run_coroutine_threadsafe(successor.lease(10), loop).result(10)

        office.server.on_mail = outlast
        (job,) = await office.mailer.lease(10)
        report = await office.mailer.deliver(job)
        assert report is not None
        assert not report.recorded
        letter = await office.letter()
        assert (letter["state"], letter["lease"], letter["attempts"]) == ("sending", 2, 0)

    async def test_letters_given_back_are_due_at_once_and_count_no_attempt(self, office):
        await office.bench.ask()
        await office.bench.settle()
        jobs = await office.mailer.lease(10)
        await office.mailer.give_back(jobs)
        letter = await office.letter()
        assert (letter["state"], letter["attempts"]) == ("queued", 0)
        assert len(await office.mailer.lease(10)) == 1

    async def test_letters_that_waited_for_the_server_are_hastened_others_are_not(self, office):
        bench = office.bench
        await bench.add_active_user("second@example.com")
        office.server.reply("RCPT", "450 4.2.0 greylisted")
        await office.mail_reset()
        office.server.stop()
        await bench.ask("second@example.com")
        await bench.settle()
        await office.post()
        assert await office.mailer.hasten() == 1
        (job,) = await office.mailer.lease(10)
        assert job.letter.recipient == "second@example.com"


class TestResetsThatAreOver:
    async def test_reset_that_ended_before_its_mail_fails_without_one(self, office):
        bench = office.bench
        await bench.ask()
        await bench.settle()
        async with bench.database.begin() as tx:
            users = [(await office.reset())["user_id"]]
            await end_resets(tx, users, ResetEnd.PASSWORD_CHANGED, bench.clock())
        (report,) = await office.post()
        letter = await office.letter()
        assert (letter["state"], report.reachable) == ("failed", None)
        assert letter["smtp_text"].startswith("its link is over")
        assert office.server.mails == []

    async def test_retired_key_fails_with_its_reason(self, office):
        await office.bench.ask()
        await office.bench.settle()
        office.change_keys(KeyRing([NEWER_KEY]))
        await office.post()
        letter = await office.letter()
        assert letter["state"] == "failed"
        assert "secret key" in letter["smtp_text"]
        assert office.server.mails == []

    async def test_older_key_that_is_still_known_makes_its_link(self, office):
        await office.bench.ask()
        await office.bench.settle()
        office.change_keys(KeyRing([NEWER_KEY, KEYS.current]))
        await office.post()
        assert digest_token(office.token()) == (await office.reset())["token_digest"]

    async def test_reset_too_old_after_a_long_outage_is_made_anew(self, office):
        office.server.stop()
        await office.mail_reset()
        old = await office.reset()
        office.server.start()
        sent_at = office.bench.clock.advance(hours=25)
        (report,) = await office.post()
        assert report.attempt.state == "accepted"
        fresh = await office.reset()
        assert digest_token(office.token()) == fresh["token_digest"] != old["token_digest"]
        assert fresh["expires_at"] == sent_at + LINK_LIFETIME
        ended = [row["end_reason"] for row in await office.bench.resets()]
        assert ended == ["undelivered", None]

    async def test_link_that_nobody_got_is_made_anew_when_its_day_leaves_it_no_full_lifetime(
        self, office
    ):
        office.server.stop()
        await office.mail_reset()
        office.server.start()
        sent_at = office.bench.clock.advance(hours=23, minutes=30)
        await office.post()
        assert (await office.reset())["expires_at"] == sent_at + LINK_LIFETIME

    async def test_link_of_the_longest_lifetime_is_not_made_anew_for_ever(self, office):
        office.bench.rules = replace(office.bench.rules, link_lifetime=timedelta(hours=24))
        await office.bench.ask()
        await office.bench.settle()
        office.bench.clock.advance(hours=2)
        (report,) = await office.post()
        assert report.attempt.state == "accepted"
        assert len(await office.bench.resets()) == 1

    async def test_repeat_that_waited_out_the_lifetime_carries_a_fresh_link(self, office):
        """The first mail came, the repeat met an outage, and the link ran out before it ended."""
        await office.mail_reset()
        office.bench.clock.advance(minutes=30)
        office.server.stop()
        await office.mail_reset()
        office.server.start()
        sent_at = office.bench.clock.advance(hours=4)
        (report,) = await office.post()
        assert report.attempt.state == "accepted"
        fresh = await office.reset()
        assert digest_token(office.token()) == fresh["token_digest"]
        assert fresh["expires_at"] == sent_at + LINK_LIFETIME
        ended = [row["end_reason"] for row in await office.bench.resets()]
        assert ended == ["expired", None]

    async def test_link_that_runs_out_between_lease_and_sending_is_made_anew(self, office):
        await office.mail_reset()
        office.bench.clock.advance(minutes=30)
        await office.bench.ask()
        await office.bench.settle()
        office.bench.clock.advance(minutes=29)
        (job,) = await office.mailer.lease(10)
        office.bench.clock.advance(minutes=2)
        assert await office.mailer.deliver(job) is None
        (report,) = await office.post()
        assert report.attempt.state == "accepted"
        assert digest_token(office.token()) == (await office.reset())["token_digest"]

    async def test_user_who_asked_again_meanwhile_gets_one_live_link(self, office):
        """The outage ends after a later request has already replaced the reset."""
        office.server.stop()
        await office.mail_reset()
        office.bench.clock.advance(hours=25)
        await office.bench.ask()
        await office.bench.settle()
        office.server.start()
        await office.post()
        (mail,) = office.server.mails
        assert digest_token(office.token()) == (await office.reset())["token_digest"]
        assert mail.recipients == [ACTIVE]


class TestOutageOfTheDatabase:
    async def test_recording_survives_it_without_a_second_mail(self, postgres_url, clock):
        async with Wire(make_url(postgres_url).port) as wire:
            database = open_database(str(make_url(postgres_url).set(port=wire.port)))
            bench = await Bench.set_up(database, clock)
            async with post_office(bench) as office:
                await bench.ask()
                await bench.settle()
                (job,) = await office.mailer.lease(10)
                cut_before_the_reply(office, wire)
                delivery = asyncio.create_task(office.mailer.deliver(job))
                await wire.wait_for_turned_away(1)
                clock.advance(hours=1)  # far beyond the lease
                wire.mend()
                report = await delivery
                assert report is not None
                assert report.recorded
                assert (await office.letter())["state"] == "accepted"
                office.bench.clock.advance(hours=1)
                assert await office.post() == []
                assert len(office.server.mails) == 1
            await database.close()


def cut_before_the_reply(office: PostOffice, wire: Wire) -> None:
    loop = asyncio.get_running_loop()

    async def cut():
        wire.cut()

    office.server.on_mail = lambda _: asyncio.run_coroutine_threadsafe(cut(), loop).result(10)


async def test_mailers_of_two_processes_send_each_letter_once(postgres_url, clock):
    databases = [open_database(postgres_url) for _ in range(2)]
    bench = await Bench.set_up(databases[0], clock)
    for n in range(40):
        await bench.add_active_user(f"user{n}@example.com")
        await bench.ask(f"user{n}@example.com")
    await bench.settle()
    async with post_office(bench) as office:
        mailers = [make_mailer(bench, office.carrier, database=one) for one in databases]
        await asyncio.gather(*(send_everything(one) for one in mailers))
        assert len(office.server.mails) == 40
        assert len({mail.recipients[0] for mail in office.server.mails}) == 40
    for one in databases:
        await one.close()


async def send_everything(mailer: Mailer) -> None:
    while jobs := await mailer.lease(7):
        await asyncio.gather(*(mailer.deliver(job) for job in jobs))
