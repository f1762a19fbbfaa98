"""Puts the parts together: the only place that names adapters."""

import os
import random
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from urllib.parse import urlsplit

import structlog

from authreset.clock import RequestIds, random_bytes, utc_now
from authreset.config import Settings
from authreset.flows.accept_request import Intake
from authreset.flows.authenticate import Authenticator
from authreset.flows.compose_letter import Composition
from authreset.flows.deliver_letters import Mailer
from authreset.flows.mail_links import ProcessingRules
from authreset.hashing import PasswordHasher
from authreset.keys import load_keyring
from authreset.mail.carriers import Carrier, LocalMailbox, NoMailServer
from authreset.mail.smtp import SmtpCarrier, parse_smtp_url
from authreset.rules.circuits import Circuit
from authreset.rules.keyrings import KeyRing
from authreset.rules.limits import KeyedBuckets, Rate
from authreset.shared_limits import SharedLimits
from authreset.store.database import Database, database_url
from authreset.store.embedded_intake import SqliteAppender
from authreset.store.intake import Appender, PostgresAppender
from authreset.store.schema import migrate
from authreset.strength import estimate_strength
from authreset.web.parts import PASSWORDS_A_HOLDER, Throttle, WebParts
from authreset.worker import Worker

LEASE_FACTOR = 1.25
"""A lease lasts so many times the longest sending: what is left is for waiting in line. After a
crash, letters under way wait for their lease to end, so it is no longer than it has to be."""

SENDERS_A_CONNECTION = 3
"""While one sender's record is being written, others use its connection; they share commits."""

LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}


def keys_of(settings: Settings) -> KeyRing:
    """Return the secret keys; the first start makes one. Raises ConfigError."""
    return load_keyring(settings, random_bytes)


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database; an embedded one is brought to this version first."""
    database = Database(database_url(settings.database_url, settings.data_dir))
    try:
        if not database.is_postgres:
            await migrate(database)
        yield database
    finally:
        await database.close()


def public_url_of(settings: Settings, host: str, port: int) -> str:
    """Return the address with which links begin: the setting, or where we listen."""
    if settings.public_url:
        return settings.public_url
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 -- compared, not bound
    return f"http://{shown}:{port}"


def is_mailbox_shown(settings: Settings, public_url: str) -> bool:
    """Tell whether letters go to the local mailbox page: no mail server, and nobody else about."""
    return not settings.smtp_url and urlsplit(public_url).hostname in LOOPBACK_NAMES


@asynccontextmanager
async def open_web_parts(settings: Settings, public_url: str) -> AsyncIterator[WebParts]:
    """Open what one web process needs, and close it in good order."""
    keyring = keys_of(settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        intake_database = database
        if settings.intake_database_url:
            intake_database = Database(
                database_url(settings.intake_database_url, settings.data_dir), pool_size=2
            )
            stack.push_async_callback(intake_database.close)
        appender = open_appender(intake_database)
        stack.push_async_callback(appender.close)
        intake = Intake(appender.append, flights=appender.flights)
        stack.push_async_callback(intake.close)
        shared = None
        if settings.limits_url:
            rates = {"address": settings.limit_address, "token": settings.limit_token}
            shared = SharedLimits(settings.limits_url, rates, time.monotonic)
            stack.push_async_callback(shared.close)
        hasher = PasswordHasher()
        stack.callback(hasher.close)
        yield WebParts(
            settings=settings,
            keyring=keyring,
            database=database,
            intake_database=intake_database,
            authenticator=Authenticator(
                intake=intake_database,
                main=database,
                keyring=keyring,
                clock=utc_now,
                monotonic=time.monotonic,
            ),
            intake=intake,
            hasher=hasher,
            estimate=estimate_strength,
            clock=utc_now,
            random_bytes=random_bytes,
            new_id=RequestIds(),
            public_url=public_url,
            mailbox_shown=is_mailbox_shown(settings, public_url),
            limit_token=_throttle(settings.limit_token),
            limit_address=_throttle(settings.limit_address),
            limit_passwords=_throttle(PASSWORDS_A_HOLDER),
            shared_limits=shared,
        )


@asynccontextmanager
async def open_worker(settings: Settings, public_url: str) -> AsyncIterator[Worker]:
    """Open a worker with its mailer, and close what it used."""
    keyring = keys_of(settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        carrier, senders, sending_takes = _carrier(settings, public_url)
        stack.push_async_callback(carrier.close)
        rules = ProcessingRules(
            keyring=keyring,
            clock=utc_now,
            new_id=RequestIds(),
            mailbox=settings.mailbox_limits,
            link_lifetime=timedelta(minutes=settings.link_minutes),
        )
        mailer = Mailer(
            database=database,
            carrier=carrier,
            rules=rules,
            chance=random.random,
            lease=sending_takes * LEASE_FACTOR,
            sending_takes=sending_takes,
            composition=Composition(keyring, public_url, settings.mail_from),
        )
        yield Worker(
            name=f"{socket.gethostname()}:{os.getpid()}",
            database=database,
            rules=rules,
            mailer=mailer,
            circuit=Circuit(time.monotonic, random.random),
            retention=timedelta(days=settings.retention_days),
            senders=senders,
        )


def _carrier(settings: Settings, public_url: str) -> tuple[Carrier, int, timedelta]:
    """Return a carrier, how many mails it takes at a time, and how long it has one at most."""
    if settings.smtp_url:
        smtp = parse_smtp_url(settings.smtp_url)
        return (
            SmtpCarrier(smtp),
            smtp.pool * SENDERS_A_CONNECTION,
            timedelta(seconds=smtp.longest_send),
        )
    shown = is_mailbox_shown(settings, public_url)
    structlog.get_logger("authreset").warning(
        "no_mail_server",
        meaning="AUTHRESET_SMTP_URL is not set: no letter leaves this machine",
        letters=f"shown at {public_url}/mailbox" if shown else "wait for a mail server",
    )
    return (
        (LocalMailbox() if shown else NoMailServer()),
        SENDERS_A_CONNECTION,
        timedelta(seconds=10),
    )


def open_appender(database: Database) -> Appender:
    """Return what makes requests durable, by the kind of the database."""
    if database.is_postgres:
        return PostgresAppender(database.url)
    return SqliteAppender(database.url)


def _throttle(rate: Rate | None) -> Throttle:
    if rate is None:
        return lambda _key: 0.0
    return KeyedBuckets(rate, rate.count, time.monotonic).take
