"""A mailer with a real SMTP server before it: what was leased, sent and recorded."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from authreset.flows.compose_letter import Composition
from authreset.flows.deliver_letters import Mailer, Report
from authreset.mail.carriers import Carrier
from authreset.mail.smtp import SmtpCarrier, parse_smtp_url
from tests.flows.processing import Bench
from tests.support.smtp import SmtpServer

PUBLIC_URL = "https://accounts.example.com"


def composition_of(bench: Bench) -> Composition:
    """Return what letters are composed with where no tenant says otherwise."""
    return Composition(bench.rules.keyring, PUBLIC_URL, "Accounts <no-reply@example.com>")


def make_mailer(bench: Bench, carrier: Carrier, **options: Any) -> Mailer:
    """Build a mailer whose pauses are not shortened by chance."""
    given = {"database": bench.database, "composition": composition_of(bench), **options}
    return Mailer(carrier=carrier, rules=bench.rules, chance=lambda: 0.0, **given)


@dataclass
class PostOffice:
    """One mailer at work."""

    bench: Bench
    server: SmtpServer
    carrier: SmtpCarrier
    mailer: Mailer

    def refit(self, **options: Any) -> None:
        """Go on with another mailer, as after a restart with other settings."""
        self.mailer = make_mailer(self.bench, self.carrier, **options)

    def change_keys(self, keyring: Any) -> None:
        """Go on with other secret keys."""
        self.bench.rules = replace(self.bench.rules, keyring=keyring)
        self.refit()

    async def post(self) -> list[Report]:
        """Send what is due, one after another."""
        reports = [await self.mailer.deliver(job) for job in await self.mailer.lease(100)]
        return [report for report in reports if report is not None]

    async def mail_reset(self) -> Report:
        """Let the active user ask, and try to send the letter."""
        await self.bench.ask()
        await self.bench.settle()
        (report,) = await self.post()
        return report

    async def letter(self) -> dict[str, Any]:
        """Return the one letter's row."""
        (row,) = await self.bench.letters()
        return row

    async def reset(self) -> dict[str, Any]:
        """Return the one live reset's row."""
        (row,) = await self.bench.resets(live=True)
        return row

    def token(self, place: int = -1) -> str:
        """Return the token of the link in a captured mail."""
        link = self.server.mails[place].links[0]
        found = re.fullmatch(rf"{PUBLIC_URL}/reset/(\S+)", link)
        assert found, "the mail's link does not lead to the reset page"
        return found[1]


@asynccontextmanager
async def post_office(bench: Bench) -> AsyncIterator[PostOffice]:
    """Open a mail server and a mailer that sends through it."""
    with SmtpServer() as server:
        carrier = SmtpCarrier(parse_smtp_url(server.url(timeout=10, starttls="off")))
        try:
            yield PostOffice(bench, server, carrier, make_mailer(bench, carrier))
        finally:
            await carrier.close()
