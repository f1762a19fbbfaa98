"""Connections are few, reused, checked, and closed in time."""

import asyncio
import time

import pytest

from authreset.mail.carriers import Accepted, Deferred, Refused
from tests.mail.examples import ALICE, mail
from tests.mail.sending import carrier_to, send


def test_one_connection_carries_many_mails(server):
    assert isinstance(send(server, times=5), Accepted)
    assert len(server.mails) == 5
    assert server.connections == 1
    assert server.commands.count("RSET") == 4  # each reuse is checked


def test_login_and_tls_are_done_once_a_connection(start_server, ca_file):
    server = start_server(tls="starttls", credentials=("user", "secret"))
    send(server, times=3, ca_file=ca_file)
    assert server.commands.count("STARTTLS") == 1
    assert server.commands.count("AUTH PLAIN") == 1


def test_connections_never_exceed_the_pool(server):
    async def deliver():
        async with carrier_to(server, pool=3) as carrier:
            return await asyncio.gather(*(carrier.send(mail(), ALICE) for _ in range(20)))

    deliveries = asyncio.run(deliver())
    assert all(isinstance(one, Accepted) for one in deliveries)
    assert len({one.queue_id for one in deliveries}) == 20
    assert 2 <= server.most_open_connections <= 3


def test_an_idle_connection_is_closed_politely_in_time(server):
    async def deliver():
        async with carrier_to(server, idle_seconds=0.05) as carrier:
            await carrier.send(mail(), ALICE)
            await asyncio.to_thread(server.wait_until, lambda s: s.open_connections == 0)
            await carrier.send(mail(), ALICE)

    asyncio.run(deliver())
    assert server.connections == 2
    assert server.commands.count("QUIT") == 2


def test_a_connection_is_retired_after_its_share_of_mails(server):
    send(server, times=5, letters_per_connection=2)
    assert server.connections == 3
    assert len(server.mails) == 5


def test_a_refused_mail_leaves_the_connection_usable(server):
    server.reply("RCPT", "550 5.1.1 no such user")

    async def deliver():
        async with carrier_to(server) as carrier:
            return [await carrier.send(mail(), ALICE) for _ in range(2)]

    refused, accepted = asyncio.run(deliver())
    assert isinstance(refused, Refused)
    assert isinstance(accepted, Accepted)
    assert server.connections == 1


def test_a_server_restarted_in_between_costs_no_mail(server):
    async def deliver():
        async with carrier_to(server, pool=2) as carrier:
            await asyncio.gather(*(carrier.send(mail(), ALICE) for _ in range(4)))
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            return await carrier.send(mail(), ALICE)

    assert isinstance(asyncio.run(deliver()), Accepted)
    assert len(server.mails) == 5


@pytest.mark.parametrize("fault", ["hang", "drop", "421 closing"])
def test_an_idle_connection_gone_bad_is_replaced(server, fault):
    if fault.startswith("421"):
        server.reply("RSET", fault)
    else:
        getattr(server, fault)("RSET")
    assert isinstance(send(server, times=2, timeout=0.3), Accepted)
    assert server.connections == 2


def test_dead_idle_connections_cost_one_time_out_together(server):
    server.hang("RSET", times=None)

    async def deliver():
        async with carrier_to(server, pool=4, timeout=0.3) as carrier:
            await asyncio.gather(*(carrier.send(mail(), ALICE) for _ in range(4)))
            opened, started = server.connections, asyncio.get_running_loop().time()
            delivery = await carrier.send(mail(), ALICE)
            return opened, delivery, asyncio.get_running_loop().time() - started

    opened, delivery, seconds = asyncio.run(deliver())
    assert opened == 4
    assert isinstance(delivery, Accepted)
    assert seconds < 0.6


def test_a_cancelled_send_gives_its_place_back(server):
    server.hang("DATA")

    async def deliver():
        async with carrier_to(server, pool=1) as carrier:
            hanging = asyncio.create_task(carrier.send(mail(), ALICE))
            await asyncio.to_thread(server.wait_until, lambda s: "DATA" in s.commands)
            hanging.cancel()
            with pytest.raises(asyncio.CancelledError):
                await hanging
            async with asyncio.timeout(2):  # less than the time-out of a check
                return await carrier.send(mail(), ALICE)

    assert isinstance(asyncio.run(deliver()), Accepted)
    assert server.connections == 2


def test_waiting_for_a_place_ends_too(server):
    server.hang("DATA", times=None)

    async def deliver():
        async with carrier_to(server, pool=1, timeout=0.1) as carrier:
            return await asyncio.gather(*(carrier.send(mail(), ALICE) for _ in range(12)))

    started = time.monotonic()
    deliveries = asyncio.run(deliver())
    assert time.monotonic() - started < 1  # one after another they would take longer
    assert all(isinstance(one, Deferred) for one in deliveries)
    assert server.most_open_connections == 1


def test_close_says_goodbye_on_every_connection(server):
    async def deliver():
        async with carrier_to(server, pool=3) as carrier:
            await asyncio.gather(*(carrier.send(mail(), ALICE) for _ in range(3)))

    asyncio.run(deliver())
    server.wait_until(lambda s: s.open_connections == 0)
    assert server.commands.count("QUIT") == server.connections


def test_close_does_not_wait_for_a_server_that_hangs(server):
    server.hang("QUIT", times=None)
    assert isinstance(send(server, timeout=0.1), Accepted)
    server.wait_until(lambda s: s.open_connections == 0)


def test_a_mail_under_way_at_close_arrives_and_its_connection_ends(server):
    async def deliver():
        async with carrier_to(server) as carrier:
            sending = asyncio.create_task(carrier.send(mail(), ALICE))
            await asyncio.to_thread(server.wait_until, lambda s: s.connections == 1)
            await carrier.close()
            delivery = await sending
            await asyncio.to_thread(server.wait_until, lambda s: s.open_connections == 0)
            return delivery

    assert isinstance(asyncio.run(deliver()), Accepted)
