"""Mails over a real connection: encrypted, logged in, to every kind of address."""

import asyncio

import pytest

from authreset.mail.carriers import Accepted, Deferred, LocalMailbox, Refused
from authreset.mail.smtp import SmtpCarrier, SmtpSettings, parse_smtp_url
from tests.mail.examples import ALICE, CHANGED, LINK, SENDER, mail
from tests.mail.sending import send


def test_a_mail_arrives_with_both_parts_and_its_link(server):
    assert send(server) == Accepted(250, "2.0.0 Ok: queued as 00000001", "00000001")
    [captured] = server.wait_for(1)
    assert (captured.sender, captured.recipients) == (SENDER, [ALICE])
    assert captured.links == [LINK]
    assert f'href="{LINK}"' in captured.html
    assert not captured.encrypted


def test_octets_arrive_as_they_were_rendered(server):
    message = mail(sender_name="Caf\u00e9, Inc.", letter=CHANGED)
    send(server, message=message)
    assert server.wait_for(1)[0].raw == message.as_bytes()


def test_envelope_recipient_is_the_one_asked_for_whatever_the_headers_say(server):
    send(server, recipient="bob@example.com")
    assert server.wait_for(1)[0].recipients == ["bob@example.com"]


def test_a_hostile_sender_name_reaches_nobody_else(server):
    send(server, message=mail(sender_name="X, eve@evil.test\r\nBcc: eve@evil.test " + "y" * 60))
    [captured] = server.wait_for(1)
    assert captured.recipients == [ALICE]
    assert captured.message["Bcc"] is None


# Encryption


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_tls_with_a_certificate_we_trust(start_server, ca_file, tls):
    server = start_server(tls=tls)
    assert isinstance(send(server, ca_file=ca_file), Accepted)
    assert server.wait_for(1)[0].encrypted


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_we_do_not_trust_sends_nothing(start_server, tls):
    server = start_server(tls=tls)
    delivery = send(server)
    assert isinstance(delivery, Deferred)
    assert "certificate verify failed" in delivery.reason
    assert delivery.code is None
    assert server.mails == []


def test_starttls_required_and_not_offered_sends_nothing(server):
    delivery = send(server, starttls="required")
    assert isinstance(delivery, Deferred)
    assert "STARTTLS" in delivery.reason
    assert "MAIL" not in server.commands


def test_starttls_stripped_on_the_line_never_reveals_the_password(start_server):
    server = start_server(credentials=("user", "secret"))  # a server, or an attacker, without TLS
    assert isinstance(send(server), Deferred)
    assert not [command for command in server.commands if command.startswith("AUTH")]


def test_starttls_auto_encrypts_where_it_can(start_server, ca_file):
    encrypting, plain = start_server(tls="starttls"), start_server()
    for server, encrypted in ((encrypting, True), (plain, False)):
        assert isinstance(send(server, starttls="auto", ca_file=ca_file), Accepted)
        assert server.wait_for(1)[0].encrypted is encrypted


def test_starttls_off_against_a_server_that_demands_it_waits_for_an_operator(start_server):
    delivery = send(start_server(tls="starttls"), starttls="off")
    assert isinstance(delivery, Deferred)
    assert delivery.code == 530


def test_a_ca_file_that_is_missing_is_found_at_the_start(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        SmtpCarrier(parse_smtp_url(f"smtps://mx?ca_file={tmp_path}/none.pem"))


# Login


@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN"])
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_login(start_server, ca_file, mechanism, tls):
    credentials = ("user@example.com", "p\u00e4ss:w/rd%@")
    server = start_server(tls=tls, credentials=credentials, mechanisms=(mechanism,))
    assert isinstance(send(server, ca_file=ca_file), Accepted)
    assert server.wait_for(1)[0].username == "user@example.com"
    assert f"AUTH {mechanism}" in server.commands


def test_a_wrong_password_waits_for_an_operator_and_is_not_told(start_server):
    server = start_server(credentials=("user", "right"))
    url = server.url(starttls="off").replace("right", "wr0ng-secret")

    async def deliver():
        carrier = SmtpCarrier(parse_smtp_url(url))
        return await carrier.send(mail(), ALICE)

    delivery = asyncio.run(deliver())
    assert isinstance(delivery, Deferred)
    assert delivery.code == 535
    assert delivery.reason.startswith("login refused: ")
    assert "wr0ng" not in repr(delivery)


def test_a_server_that_wants_a_login_we_lack_waits_for_an_operator(start_server):
    server = start_server(credentials=("user", "secret"))
    settings = SmtpSettings(server.host, server.port, parse_smtp_url("smtp://mx").encryption)

    async def deliver():
        carrier = SmtpCarrier(settings)
        try:
            return await carrier.send(mail(), ALICE)
        finally:
            await carrier.close()

    delivery = asyncio.run(deliver())
    assert delivery == Deferred(530, "5.7.0 Authentication required")


# International addresses


def test_a_utf8_address_goes_where_smtputf8_is_offered(server):
    address = "\u00e5lice@example.com"
    assert isinstance(send(server, message=mail(recipient=address), recipient=address), Accepted)
    [captured] = server.wait_for(1)
    assert captured.recipients == [address]
    assert "SMTPUTF8" in captured.options
    assert f"\r\nTo: {address}\r\n".encode() in captured.raw


def test_a_utf8_address_is_refused_where_smtputf8_is_not_offered(start_server):
    server = start_server(smtputf8=False)
    address = "\u00e5lice@example.com"
    delivery = send(server, message=mail(recipient=address), recipient=address)
    assert isinstance(delivery, Refused)
    assert "SMTPUTF8" in delivery.reason
    assert "MAIL" not in server.commands


def test_an_international_domain_needs_no_smtputf8(start_server):
    server = start_server(smtputf8=False)
    address = "alice@b\u00fccher.example"
    assert isinstance(send(server, message=mail(recipient=address), recipient=address), Accepted)
    assert server.wait_for(1)[0].recipients == ["alice@xn--bcher-kva.example"]


@pytest.mark.parametrize("address", ["alice", "a@b> SIZE=1", "a@b\r\nRCPT TO:<eve@evil.test>"])
def test_an_address_that_smtp_cannot_carry_never_reaches_the_server(server, address):
    delivery = send(server, recipient=address)
    assert isinstance(delivery, Refused)
    assert address not in delivery.reason
    assert server.connections == 0


# The local mailbox


def test_local_mailbox_accepts_everything_at_once():
    async def deliver():
        carrier = LocalMailbox()
        try:
            return await carrier.send(mail(), ALICE)
        finally:
            await carrier.close()

    assert asyncio.run(deliver()) == Accepted(250, "local mailbox", None)
