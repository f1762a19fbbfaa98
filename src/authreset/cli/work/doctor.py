"""The doctor: gathers facts about this installation and prints what `examine` makes of them.

It changes nothing: no key, no database and no table is made on the way.
"""

import asyncio
import os
import shutil
from dataclasses import replace
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from authreset.cli.answers import REFUSED, SUCCEEDED, Answer, Outcome
from authreset.cli.check_database import DatabaseFacts, examine_database
from authreset.cli.checkup import (
    KeyFacts,
    SmtpFacts,
    examine_keys,
    examine_mail_from,
    examine_proxies,
    examine_public_url,
    examine_settings,
    examine_smtp,
)
from authreset.cli.keyfile import load_each, read_key_texts
from authreset.cli.opening import describe_fault, is_forbidden, make_database
from authreset.cli.survey import survey_settings
from authreset.cli.tables import show_table
from authreset.cli.work.asking import ask_healthz
from authreset.clock import utc_now
from authreset.config import ConfigError, Settings, load_settings
from authreset.flows.examine import Finding, Verdict, examine_traffic
from authreset.keys import key_file
from authreset.mail.probe import SmtpUnreached, probe_smtp
from authreset.mail.smtp_settings import SmtpUrlError, parse_smtp_url
from authreset.store.database import Database
from authreset.store.events import Event, add_events
from authreset.store.schema import schema_state
from authreset.store.sqlite import sqlite_path

EMBEDDED_FILE = "authreset.db"


class _Undo(Exception):
    pass


def examine_all() -> Outcome:
    """Run every check."""
    survey = survey_settings(os.environ)
    findings = list(examine_settings(survey.errors, survey.unknown))
    if not survey.errors:
        findings += asyncio.run(_examine(load_settings(os.environ)))
    return _answer(findings)


async def _examine(settings: Settings) -> list[Finding]:
    sends_mail = bool(settings.smtp_url)
    sender = parseaddr(settings.mail_from)[1]
    url = settings.public_url
    answer = await asyncio.to_thread(ask_healthz, url) if url else None
    return [
        *_examine_keys(settings),
        *await _examine_database(settings),
        *examine_public_url(url, sends_mail=sends_mail, answer=answer),
        *examine_proxies(url, has_trusted=bool(settings.trusted_proxies)),
        *examine_mail_from(sender, sends_mail=sends_mail),
        *await _examine_smtp(settings.smtp_url),
    ]


def _answer(findings: list[Finding]) -> Answer:
    counts = {verdict.value: 0 for verdict in Verdict}
    for finding in findings:
        counts[finding.verdict] += 1
    failed = counts[Verdict.FAIL]
    data: dict[str, Any] = {
        "ok": not failed,
        **counts,
        "checks": [
            {"check": one.check, "verdict": one.verdict, "seen": one.seen, "todo": one.todo}
            for one in findings
        ],
    }
    if failed:
        data |= {"error": f"{failed} check(s) failed", "todo": "see the checks"}
    rows = [[one.verdict, one.check, one.seen, one.todo] for one in findings]
    return Answer(
        data,
        show=show_table(["", "check", "seen", "what to do"], rows, ""),
        status=REFUSED if failed else SUCCEEDED,
    )


def _examine_keys(settings: Settings) -> list[Finding]:
    try:
        texts = read_key_texts(settings)
        if texts is None:
            return list(examine_keys(None))
        materials = [ring.current.material for ring in load_each(settings, texts)]
    except ConfigError as fault:
        return list(examine_keys(None, str(fault)))
    facts = KeyFacts(tuple(texts), tuple(materials), "AUTHRESET_SECRET_KEY")
    if not settings.secret_key:
        path = key_file(settings)
        facts = replace(facts, place=str(path), mode=path.stat().st_mode & 0o777)
    return list(examine_keys(facts))


async def _examine_smtp(url: str) -> list[Finding]:
    if not url:
        return list(examine_smtp(None))
    try:
        server = parse_smtp_url(url)
    except SmtpUrlError as fault:
        return list(examine_smtp(SmtpFacts("AUTHRESET_SMTP_URL", str(fault))))
    probed = await probe_smtp(server)
    if isinstance(probed, SmtpUnreached):
        return list(examine_smtp(SmtpFacts(probed.server, probed.reason)))
    return list(
        examine_smtp(
            SmtpFacts(probed.server, None, probed.tls, probed.is_logged_in, probed.seconds)
        )
    )


async def _examine_database(settings: Settings) -> list[Finding]:
    if not settings.database_url and not (settings.data_dir / EMBEDDED_FILE).exists():
        return list(examine_database(None))
    findings = await _examine_one(make_database(settings), "database")
    if settings.intake_database_url:
        intake = make_database(settings, settings.intake_database_url)
        findings += await _examine_one(intake, "intake_database")
    return findings


async def _examine_one(database: Database, check: str) -> list[Finding]:
    """Look at a database; the intake's, whose role may do little, only from outside."""
    try:
        facts = await _look_at(database, check)
        findings = list(examine_database(facts))
        if facts.is_usable:
            findings += await _look_at_traffic(database)
    finally:
        await database.close()
    return findings


async def _look_at_traffic(database: Database) -> list[Finding]:
    try:
        async with database.read() as tx:
            return await examine_traffic(tx, utc_now())
    except Exception as fault:
        if not is_forbidden(fault):
            raise
        todo = "run the doctor with the URL of the tables' owner too"
        return [Finding("traffic", Verdict.WARN, describe_fault(fault), todo)]


async def _look_at(database: Database, check: str) -> DatabaseFacts:
    kind = "PostgreSQL" if database.is_postgres else "SQLite"
    path = None if database.is_postgres else Path(sqlite_path(database.url))
    if path is not None and not path.exists():
        return DatabaseFacts(kind=kind, check=check, fault=f"{path} does not exist")
    try:
        async with database.read() as tx:
            version = tx.dialect.server_version_info or ()
        if check != "database":
            return DatabaseFacts(kind=kind, check=check, version=version)
        state = await schema_state(database)
    except Exception as fault:
        # Whatever the driver raises keeps the service from working; its name and words tell why.
        return DatabaseFacts(kind=kind, check=check, fault=describe_fault(fault))
    return DatabaseFacts(
        kind=kind,
        check=check,
        version=version,
        revision=state.current,
        newest_revision=state.newest,
        is_embedded=path is not None,
        write_fault=None if state.is_behind else await _try_to_write(database),
        free_bytes=shutil.disk_usage(path.parent).free if path is not None else None,
    )


async def _try_to_write(database: Database) -> str | None:
    """Write a row and take it back: an event, which every role of the service may append."""
    try:
        async with database.begin() as tx:
            await add_events(tx, [Event(at=utc_now(), kind="doctor.tried", actor="doctor")])
            raise _Undo
    except _Undo:
        return None
    except Exception as fault:
        return describe_fault(fault)
