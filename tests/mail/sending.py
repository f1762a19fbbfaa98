"""Sending through a carrier from a test that is no coroutine."""

import asyncio
from contextlib import asynccontextmanager

from authreset.mail.smtp import SmtpCarrier, parse_smtp_url
from tests.mail.examples import ALICE, mail


@asynccontextmanager
async def carrier_to(server, *, idle_seconds=30.0, letters_per_connection=100, **options):
    if server.tls == "none" and server.credentials is None:
        options = {"starttls": "off"} | options  # spares each test the loading of certificates
    settings = parse_smtp_url(server.url(**({"timeout": 5} | options)))
    carrier = SmtpCarrier(
        settings, idle_seconds=idle_seconds, letters_per_connection=letters_per_connection
    )
    try:
        yield carrier
    finally:
        await carrier.close()


def send(server, *, times=1, message=None, recipient=ALICE, **options):
    """Send one mail after another over one carrier; returns the last delivery."""

    async def deliver():
        async with carrier_to(server, **options) as carrier:
            for _ in range(times):
                delivery = await carrier.send(message or mail(), recipient)
            return delivery

    return asyncio.run(deliver())
