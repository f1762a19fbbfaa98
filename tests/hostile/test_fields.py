"""Line ends and other poison in every field that reaches a letter or a log.

What the database holds is taken to be as bad as can be, past every check at the entrance.
"""

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from email.utils import getaddresses

import pytest
from sqlalchemy import delete, update

from authreset.store.database import Database
from authreset.store.tables import entities, letters, users
from tests.flows.posting import PUBLIC_URL, PostOffice, post_office
from tests.flows.processing import ACTIVE, Bench
from tests.hostile.raw import Visitor
from tests.mail.test_rendering import HEADERS
from tests.support.databases import FakeClock
from tests.support.smtp import CapturedMail

BCC = "Bcc: eve@evil.test"
ENDS = {
    "CRLF": "\r\n",
    "CR": "\r",
    "LF": "\n",
    "vertical tab": "\x0b",
    "form feed": "\x0c",
    "file separator": "\x1c",
    "next line": "\x85",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "NUL": "\x00",
    "escape": "\x1b[2J",
    "right to left": "\u202e",
    "end of mail": "\r\n.\r\nMAIL FROM:<eve@evil.test>\r\n",
    "end of head": "\r\n\r\n",
}
POISONS = {name: f"Acme{end}{BCC}{end}" for name, end in ENDS.items()}
POISONS["encoded word"] = "=?utf-8?q?=0D=0ABcc:_eve@evil.test?="
POISONS["second recipient"] = "Acme, eve@evil.test, <eve@evil.test>"
NODE_SETTINGS = ["sender_name", "brand_name", "support_address", "sign_in_url", "accent", "locale"]


@pytest.fixture
async def office(database: Database, clock: FakeClock) -> AsyncIterator[PostOffice]:
    bench = await Bench.set_up(database, clock)
    bench.rules = replace(bench.rules, mailbox=None)  # one user, many mails
    async with post_office(bench) as opened:
        yield opened


def storable(office: PostOffice, text: str) -> str:
    # PostgreSQL takes no NUL in a text, so there it cannot even be stored.
    return text.replace("\x00", "") if office.bench.database.is_postgres else text


def assert_one_plain_mail(mail: CapturedMail) -> None:
    """One recipient, our headers in their order, no octet that another reader sees otherwise."""
    assert mail.recipients == [ACTIVE]
    assert b"\x00" not in mail.raw
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", mail.raw)
    head = re.sub(r"\r\n(?=[ \t])", "", mail.raw.split(b"\r\n\r\n")[0].decode("ascii"))
    names = [line.partition(":")[0] for line in head.split("\r\n")]
    assert names == HEADERS
    for field in ("From", "To"):
        assert len(getaddresses([str(mail.message[field])])) == 1
    assert len(mail.links) == 1
    assert mail.links[0].startswith(f"{PUBLIC_URL}/reset/")
    assert not [line for line in mail.text.splitlines() if line.startswith("Bcc:")]


async def mail_of(office: PostOffice) -> CapturedMail | None:
    """Settle what waits, and return the mail that comes of it, if one does."""
    before = len(office.server.mails)
    await office.bench.settle()
    await office.post()
    return office.server.mails[before] if office.server.mails[before:] else None


async def poison_field(office: PostOffice, field: str, text: str) -> None:
    """Let one field of what a letter is made from say this, and the others nothing special."""
    values = {field: text} if field in NODE_SETTINGS else {}
    name = text if field == "name" else "Acme"
    async with office.bench.database.begin() as tx:
        await tx.execute(update(entities).values(settings=values, name=name))
        await tx.execute(update(users).values(name=name))
        await tx.execute(delete(letters))  # one that could not be written would wait and be joined
    client = text[:45] if field == "client_address" else "192.0.2.1"
    await office.bench.ask(client_address=client)


@pytest.mark.parametrize("poison", POISONS)
async def test_nothing_stored_adds_a_recipient_or_a_line(office: PostOffice, poison: str) -> None:
    for field in [*NODE_SETTINGS, "name", "client_address"]:
        await poison_field(office, field, storable(office, POISONS[poison]))
        mail = await mail_of(office)
        # What cannot be written is written to nobody.
        assert mail is not None or field in ("accent", "locale", "support_address"), field
        if mail is not None:
            assert_one_plain_mail(mail)


@pytest.mark.parametrize("poison", POISONS)
async def test_sender_and_recipient(office: PostOffice, poison: str) -> None:
    """An address that is none is written to nobody: no letter is better than one to a stranger."""
    text = storable(office, f"ada@example.com{POISONS[poison]}")
    async with office.bench.database.begin() as tx:
        await tx.execute(update(entities).values(settings={"sender_address": text}))
    await office.bench.ask()
    assert await mail_of(office) is None

    async with office.bench.database.begin() as tx:
        await tx.execute(update(entities).values(settings={}))
        await tx.execute(update(letters).values(recipient=text, finished_at=None, state="queued"))
        await tx.execute(update(letters).values(due_at=office.bench.clock()))
    assert await mail_of(office) is None
    assert not [one for one in office.server.commands if one.startswith("DATA")]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("field", ["email", "entry"])
async def test_what_a_caller_types(visitor: Visitor, field: str, end: str) -> None:
    asked: dict[str, object] = {field: f"ada@example.com{ENDS[end]}{BCC}"}
    if field == "entry":
        asked["entryType"] = 0
    line = await visitor.say(visitor.call(json.dumps(asked).encode()))

    assert (await line.hear()).status == 400
    assert await visitor.site.recorded() == []


LOGGING = """
import sys
from authreset.logs import configure_logs
import structlog, logging
text = sys.stdin.read()
configure_logs(sys.argv[1], "info")
structlog.get_logger("authreset").info(text, reason=text, deep={"a": [text, (text, {text: text})]})
logging.getLogger("a.library").warning(text)
try:
    raise ValueError(text)
except ValueError as error:
    structlog.get_logger("authreset").error("failed", exc_info=error)
"""


def logged(text: str, form: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", LOGGING, form],
        input=text.encode("utf-8", "surrogatepass"),
        capture_output=True,
        timeout=60,
        check=True,
    )
    return done.stderr.decode()


def test_logs_have_one_line_an_event_whatever_is_in_it() -> None:
    lines = logged("".join(ENDS.values()) + BCC, "json").split("\n")

    assert len(lines) == 4
    assert [json.loads(line)["level"] for line in lines[:3]] == ["info", "warning", "error"]
    assert all(line.isprintable() for line in lines)
