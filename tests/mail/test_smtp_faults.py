"""Every fault of a mail server, and whether it is the mail's, the server's or ours."""

import asyncio
import time

import pytest

from authreset.mail.carriers import Accepted, Deferred, Refused
from authreset.mail.smtp import Encryption, SmtpCarrier, SmtpSettings
from tests.mail.examples import ALICE, LINK, TOKEN, mail
from tests.mail.sending import send

ENVELOPE_STAGES = ["MAIL", "RCPT", "DATA", "BODY"]
EARLY_STAGES = ["CONNECT", "EHLO"]
LOGIN_STAGES = ["STARTTLS", "AUTH"]


@pytest.mark.parametrize("stage", ["RCPT", "DATA", "BODY"])
@pytest.mark.parametrize("code", [550, 551, 553, 554])
def test_a_permanent_reply_about_the_mail_is_final(server, stage, code):
    server.reply(stage, f"{code} 5.0.0 no")
    assert send(server) == Refused(code, "5.0.0 no")
    assert server.mails == []


@pytest.mark.parametrize("code", [550, 551, 553, 554])
def test_a_sender_that_is_refused_is_ours_to_mend_and_costs_no_letter(server, code):
    server.reply("MAIL", f"{code} 5.0.0 no")
    assert send(server) == Deferred(code, "5.0.0 no")
    assert server.mails == []


@pytest.mark.parametrize("stage", ENVELOPE_STAGES)
@pytest.mark.parametrize("code", [421, 450, 451, 452, 552])
def test_a_temporary_reply_about_the_mail_is_tried_again(server, stage, code):
    server.reply(stage, f"{code} 4.0.0 not now")
    assert send(server) == Deferred(code, "4.0.0 not now")
    assert server.mails == []


@pytest.mark.parametrize("code", [421, 450, 521, 554])
def test_a_refused_greeting_waits_for_an_operator(server, code):
    server.reply("CONNECT", f"{code} go away")
    assert send(server) == Deferred(code, "greeting refused: go away")


def test_refused_hellos_wait_for_an_operator(server):
    server.reply("EHLO", "550 who are you")
    server.reply("EHLO", "421 who are you")
    # The library says HELO after a refused EHLO, as RFC 5321 section 3.2 allows.
    assert isinstance(send(server), Accepted)
    assert send(server) == Deferred(421, "who are you")


@pytest.mark.parametrize(("stage", "code"), [("STARTTLS", 454), ("AUTH", 454), ("AUTH", 554)])
def test_refused_tls_or_login_waits_for_an_operator(start_server, ca_file, stage, code):
    server = start_server(tls="starttls", credentials=("u", "p"))
    server.reply(stage, f"{code} not now", times=None)
    delivery = send(server, ca_file=ca_file)
    assert isinstance(delivery, Deferred)
    assert delivery.code == code


@pytest.mark.parametrize("stage", EARLY_STAGES + ENVELOPE_STAGES)
def test_a_connection_cut_short_is_tried_again(server, stage):
    server.drop(stage, keep=False)
    delivery = send(server)
    assert isinstance(delivery, Deferred)
    assert delivery.code is None
    assert delivery.reason


@pytest.mark.parametrize("stage", LOGIN_STAGES)
def test_a_connection_cut_at_tls_or_login_is_tried_again(start_server, ca_file, stage):
    server = start_server(tls="starttls", credentials=("u", "p"))
    server.drop(stage, times=None)
    assert isinstance(send(server, ca_file=ca_file), Deferred)


@pytest.mark.parametrize("stage", EARLY_STAGES + ENVELOPE_STAGES)
def test_a_server_that_hangs_is_left_in_time(server, stage):
    server.hang(stage, times=None)
    started = time.monotonic()
    delivery = send(server, timeout=0.1)
    assert isinstance(delivery, Deferred)
    assert delivery.code is None
    assert "imed out" in delivery.reason
    assert time.monotonic() - started < 2
    server.wait_until(lambda s: s.open_connections == 0)


@pytest.mark.parametrize("stage", LOGIN_STAGES)
def test_a_server_that_hangs_at_tls_or_login_is_left_in_time(start_server, ca_file, stage):
    server = start_server(tls="starttls", credentials=("u", "p"))
    server.hang(stage, times=None)
    started = time.monotonic()
    assert isinstance(send(server, ca_file=ca_file, timeout=0.1), Deferred)
    assert time.monotonic() - started < 2


def test_a_server_that_takes_the_socket_and_not_the_handshake_is_left_in_time(server):
    url_settings = SmtpSettings(server.host, server.port, Encryption.IMPLICIT, timeout=0.1)
    server.hang("CONNECT", times=None)

    async def deliver():
        return await SmtpCarrier(url_settings).send(mail(), ALICE)

    delivery = asyncio.run(asyncio.wait_for(deliver(), 2))
    assert isinstance(delivery, Deferred)


def test_a_mail_taken_without_a_reply_is_sent_again_as_the_same_mail(server):
    server.drop("BODY", keep=True)
    assert isinstance(send(server), Deferred)
    assert isinstance(send(server), Accepted)
    first, second = server.wait_for(2)
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert first.raw == second.raw


def test_a_server_that_is_down_is_tried_again(server):
    server.stop()
    delivery = send(server)
    assert isinstance(delivery, Deferred)
    assert delivery.code is None
    assert str(server.port) in delivery.reason
    server.start()
    assert isinstance(send(server), Accepted)


def test_a_name_that_does_not_resolve_is_tried_again():
    # An address literal with an unknown zone fails in the resolver without asking the network.
    settings = SmtpSettings("::1%no-such-interface", 25, Encryption.OFF, timeout=2)

    async def deliver():
        return await SmtpCarrier(settings).send(mail(), ALICE)

    delivery = asyncio.run(deliver())
    assert isinstance(delivery, Deferred)
    assert delivery.code is None


@pytest.mark.parametrize("line", ["hello there", "999 what", "2", "-1 x"])
def test_what_is_no_smtp_is_tried_again(server, line):
    server.reply("CONNECT", line)
    delivery = send(server, timeout=0.5)
    assert isinstance(delivery, Deferred)
    assert delivery.code is None


def test_a_greeting_is_quoted_no_more_freely_than_other_replies(server):
    server.reply("CONNECT", f"554 {ALICE}\t{LINK} " + "x" * 300)
    delivery = send(server)
    assert isinstance(delivery, Deferred)
    assert delivery.reason.startswith("greeting refused: a***@example.com [link] xxx")
    assert len(delivery.reason) == 200


def test_a_reason_holds_neither_link_nor_address_nor_control_characters(server):
    server.reply("BODY", f"554 5.7.1 <{ALICE}>: \x1b[31m{LINK} blocked " + "x" * 300)
    delivery = send(server)
    assert isinstance(delivery, Refused)
    assert TOKEN[:8] not in delivery.reason
    assert ALICE not in delivery.reason
    assert "a***@example.com" in delivery.reason
    assert delivery.reason.isprintable()
    assert len(delivery.reason) <= 200


def test_an_acceptance_keeps_the_same_silence(start_server):
    server = start_server(accepted_reply=f"250 OK id=1rABcD-0001Xx-2y for {ALICE}")
    delivery = send(server)
    assert delivery == Accepted(
        250, "OK id=1rABcD-0001Xx-2y for a***@example.com", "1rABcD-0001Xx-2y"
    )
