"""The doctor: every check is provoked into failing, and is well when the cause is gone."""

import os
import re
import shutil
import sqlite3
import ssl
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import trustme
from sqlalchemy import update

from authreset.cli.check_database import DatabaseFacts, examine_database
from authreset.store.database import Transaction
from authreset.store.entities import find_entity
from authreset.store.tables import api_tokens
from authreset.store.workers import WorkerSign, sign_worker
from tests.cli.program import Program
from tests.support.databases import add_requests
from tests.support.postgres import PostgresServer, free_port
from tests.support.smtp import SmtpServer

FROM = "Pilgrim <no-reply@pilgrim.test>"


def checks(program: Program, **settings: str) -> dict[str, list[dict[str, Any]]]:
    """Run the doctor in both forms and return its findings by check."""
    result = program("doctor", "--json", **settings)
    report = result.json
    for_people = program("doctor", **settings)
    failed = any(one["verdict"] == "fail" for one in report["checks"])
    assert result.status == for_people.status == int(failed)
    assert report["ok"] is not failed
    assert (result.err, for_people.err) == ("", "")
    found: dict[str, list[dict[str, Any]]] = {}
    for one in report["checks"]:
        assert _timeless(one["seen"]) in _timeless(for_people.out)
        assert one["todo"] or one["verdict"] == "ok"
        found.setdefault(one["check"], []).append(one)
    return found


def verdicts(program: Program, check: str, **settings: str) -> list[str]:
    return [one["verdict"] for one in checks(program, **settings)[check]]


def only(program: Program, check: str, **settings: str) -> dict[str, Any]:
    (one,) = checks(program, **settings)[check]
    return one


@contextmanager
def web_server(body: bytes, status: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def sign(program: Program, seen_at: datetime, state: str = "reachable") -> None:
    async def put(tx: Transaction) -> None:
        await sign_worker(tx, WorkerSign("host:1", seen_at, seen_at, state))

    program.look(put)


def ask(program: Program, received_at: datetime) -> None:
    async def put(tx: Transaction) -> None:
        root = await find_entity(tx, "pilgrim-planner")
        assert root is not None
        await add_requests(tx, [uuid4()], root, received_at=received_at)

    program.look(put)


def test_a_sound_installation_is_well(demo: Program) -> None:
    sign(demo, datetime.now(UTC))
    ours = b'{"status": "ok", "name": "authreset"}'
    with SmtpServer() as mail, web_server(ours) as url:
        found = checks(demo, SMTP_URL=mail.url(), MAIL_FROM=FROM, PUBLIC_URL=url)
    wrong = {one["check"]: one["verdict"] for many in found.values() for one in many
             if one["verdict"] != "ok"}  # fmt: skip
    # A server on this machine is all a test has, and no letter's reader could reach it.
    assert wrong == {"public_url": "fail"}
    assert {"settings", "keys", "database", "clock", "workers", "requests", "letters", "tokens",
            "public_url", "mail_from", "smtp"} == found.keys()  # fmt: skip


def test_a_fresh_place_is_examined_and_left_as_it_is(fresh: Program) -> None:
    found = checks(fresh)
    assert {name for name, many in found.items() if many[0]["verdict"] == "warn"} >= {
        "keys", "database", "smtp", "public_url",
    }  # fmt: skip
    assert not fresh.data_dir.exists()


def test_a_setting_that_cannot_be_used_fails(program: Program) -> None:
    found = checks(program, LINK_MINUTES="4", RETENTION_DAYS="x")
    assert ["AUTHRESET_LINK_MINUTES" in one["seen"] for one in found["settings"]] == [True, False]
    assert "AUTHRESET_RETENTION_DAYS" in found["settings"][1]["seen"]


def test_a_misspelt_setting_is_guessed(program: Program) -> None:
    one = only(program, "settings", SMTPURL="smtp://127.0.0.1")
    assert (one["verdict"], one["todo"]) == ("warn", "did you mean AUTHRESET_SMTP_URL?")


def test_a_key_file_that_others_may_read_fails(demo: Program) -> None:
    (demo.data_dir / "secret.key").chmod(0o640)
    one = only(demo, "keys")
    assert one["verdict"] == "fail"
    assert "chmod 600" in one["todo"]


def encode(material: bytes) -> str:
    return urlsafe_b64encode(material).decode()


@pytest.mark.parametrize(
    "key",
    [
        encode(b"\x00" * 32), encode(b"abcd" * 8), encode(bytes(range(32))),
        encode(b"this is my key, please keep it so"),
        "example" + "q7Zk2" * 8, "change_me" + "xY9" * 15,
    ],
    ids=["zeros", "repeated", "sequence", "text", "example", "changeme"],
)  # fmt: skip
def test_an_example_key_fails(demo: Program, key: str) -> None:
    one = only(demo, "keys", SECRET_KEY=key)
    assert one["verdict"] == "fail"
    assert "authreset keys new" in one["todo"]
    assert key not in str(one)


@pytest.mark.parametrize("key", ["c2hvcnQ", "not base64 at all!", "", " , "])
def test_a_key_that_cannot_be_read_fails(demo: Program, key: str) -> None:
    (demo.data_dir / "secret.key").write_text(key)
    assert verdicts(demo, "keys") == ["fail"]


def test_keys_are_counted(demo: Program) -> None:
    keys = [demo.do("keys", "new")["key"] for _ in range(3)]
    assert "2 older" in only(demo, "keys", SECRET_KEY=",".join(keys))["seen"]
    one = only(demo, "keys", SECRET_KEY_FILE=str(demo.data_dir / "nowhere"))
    assert one["verdict"] == "fail"


def test_a_public_url_that_is_not_set_fails_once_mail_is_sent(demo: Program) -> None:
    assert verdicts(demo, "public_url") == ["warn"]
    assert verdicts(demo, "public_url", SMTP_URL="smtp://127.0.0.1:1") == ["fail"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"<html>", 200, "another service"), (b'{"name": "other"}', 200, "another service"),
        (b"[]", 200, "another service"), (b"", 502, "answered 502"), (b"", 302, "answered 302"),
    ],
)  # fmt: skip
def test_a_public_url_where_someone_else_answers_warns(
    demo: Program, body: bytes, status: int, words: str
) -> None:
    with web_server(body, status) as url:
        one = only(demo, "public_url", PUBLIC_URL=url)
    assert one["verdict"] == "warn"
    assert words in one["seen"]


def test_a_public_url_without_encryption_or_answer_warns(demo: Program) -> None:
    found = checks(demo, PUBLIC_URL=f"http://127.0.0.2:{free_port()}")["public_url"]
    assert ["not encrypted" in found[0]["seen"], "cannot be reached" in found[1]["seen"]] == [
        True, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "sender",
    ["Pilgrim", "Pilgrim <no-reply@localhost>", "no-reply@pilgrim.example", "a@example.com"],
)
def test_a_sender_that_no_server_takes_fails_once_mail_is_sent(demo: Program, sender: str) -> None:
    assert verdicts(demo, "mail_from", MAIL_FROM=sender, SMTP_URL="smtp://127.0.0.1:1") == ["fail"]


def test_without_a_mail_server_it_is_said_loudly(demo: Program) -> None:
    one = only(demo, "smtp")
    assert one["verdict"] == "warn"
    assert "NO MAIL IS SENT" in one["seen"]


def test_a_mail_server_is_tried_without_sending(demo: Program) -> None:
    with SmtpServer(credentials=("user", "hush!")) as mail:
        one = only(demo, "smtp", SMTP_URL=mail.url(starttls="off"))
    assert (one["verdict"], mail.mails) == ("ok", [])
    assert "not encrypted, logged in" in one["seen"]
    assert not {"MAIL", "RCPT", "DATA"} & set(mail.commands)


def test_a_refused_login_fails_without_the_password(demo: Program) -> None:
    with SmtpServer(credentials=("user", "right")) as mail:
        url = mail.url(starttls="off").replace("right", "hush!wrong")
        one = only(demo, "smtp", SMTP_URL=url)
    assert one["verdict"] == "fail"
    assert "login was refused" in one["seen"]
    assert "hush" not in str(one)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


def test_the_protocol_of_the_encryption_is_told(
    demo: Program, authority: trustme.CA, tmp_path: Path
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with SmtpServer(tls="starttls", certificate=context) as mail:
        trusted = only(demo, "smtp", SMTP_URL=mail.url(ca_file=tmp_path / "ca.pem"))
        strange = only(demo, "smtp", SMTP_URL=mail.url(starttls="required"))
    assert trusted["verdict"] == "ok"
    assert "TLSv1.3" in trusted["seen"]
    assert strange["verdict"] == "fail"
    assert "certificate" in strange["seen"].lower()


def test_a_mail_server_that_is_away_or_misspelt_fails(demo: Program) -> None:
    assert verdicts(demo, "smtp", SMTP_URL=f"smtp://127.0.0.1:{free_port()}") == ["fail"]
    assert verdicts(demo, "smtp", SMTP_URL="smtp://user@127.0.0.1") == ["fail"]
    with SmtpServer() as mail:
        mail.reply("CONNECT", "554 5.7.1 not you", times=None)
        assert "554" in only(demo, "smtp", SMTP_URL=mail.url())["seen"]


def test_a_worker_that_is_missing_fails_once_something_waits(demo: Program) -> None:
    sign(demo, datetime.now(UTC) - timedelta(minutes=2))
    assert verdicts(demo, "workers") == ["warn"]
    ask(demo, datetime.now(UTC))
    assert verdicts(demo, "workers") == ["fail"]


def test_a_worker_without_a_mail_server_fails(demo: Program) -> None:
    sign(demo, datetime.now(UTC), "the mail server cannot be reached")
    assert verdicts(demo, "workers") == ["fail"]


def test_a_clock_that_is_ahead_is_told(demo: Program) -> None:
    sign(demo, datetime.now(UTC) + timedelta(minutes=5))
    assert verdicts(demo, "clock") == ["ok", "warn"]


@pytest.mark.parametrize(
    ("age", "verdict"), [(5, "ok"), (90, "warn"), (1200, "fail")], ids=["new", "late", "lost"]
)
def test_requests_that_wait_too_long_are_told(demo: Program, age: int, verdict: str) -> None:
    ask(demo, datetime.now(UTC) - timedelta(seconds=age))
    assert verdicts(demo, "requests") == [verdict]


@pytest.mark.parametrize("days", [3, -3])
def test_tokens_that_run_out_are_told(demo: Program, days: int) -> None:
    issued = demo.do("token", "issue", "--entry", "8cfec329267", "--type", "organization")

    async def age(tx: Transaction) -> None:
        at = datetime.now(UTC) + timedelta(days=days)
        only_this = api_tokens.c.id == issued["id"]
        await tx.execute(update(api_tokens).where(only_this).values(expires_at=at))

    demo.look(age)
    one = only(demo, "tokens")
    assert one["verdict"] == "warn"
    assert f"token {issued['id']} of 8cfec329267" in one["seen"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_database_that_cannot_be_written_fails(demo: Program) -> None:
    (demo.data_dir / "authreset.db").chmod(0o400)
    assert verdicts(demo, "database") == ["fail"]


def test_a_database_that_refuses_writes_fails(demo: Program) -> None:
    with sqlite3.connect(demo.data_dir / "authreset.db") as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(FAIL, 'disk'); END"
        )
    one = only(demo, "database")
    assert one["verdict"] == "fail"
    assert "cannot be written: disk" in one["seen"]


def test_a_file_that_is_no_database_fails(demo: Program) -> None:
    for path in demo.data_dir.glob("authreset.db*"):
        path.write_bytes(b"this is not a database, whatever its name says" * 99)
    assert verdicts(demo, "database") == ["fail"]


def test_an_embedded_database_that_is_behind_only_warns(fresh: Program) -> None:
    fresh.data_dir.mkdir()
    sqlite3.connect(fresh.data_dir / "authreset.db").close()
    assert verdicts(fresh, "database") == ["warn"]


def test_a_database_that_a_newer_version_migrated_warns(demo: Program) -> None:
    with sqlite3.connect(demo.data_dir / "authreset.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert verdicts(demo, "database") == ["warn"]
    assert demo.do("organization", "list")["entities"]


def test_the_doctor_leaves_no_trace(demo: Program) -> None:
    def dump() -> list[str]:
        with sqlite3.connect(demo.data_dir / "authreset.db") as connection:
            return list(connection.iterdump())

    before = dump()
    checks(demo)
    assert dump() == before


def test_postgres_is_examined(program: Program, postgres_url: str) -> None:
    assert verdicts(program, "clock", DATABASE_URL=postgres_url) == ["ok"]
    one = only(program, "database", DATABASE_URL=postgres_url)
    assert one["verdict"] == "ok"
    assert one["seen"].startswith("PostgreSQL 18")
    found = checks(program, DATABASE_URL=postgres_url, INTAKE_DATABASE_URL=postgres_url)
    assert found["intake_database"][0]["verdict"] == "ok"


def test_postgres_that_is_away_or_lacks_the_database_fails(
    program: Program, postgres: PostgresServer
) -> None:
    one = only(program, "database", DATABASE_URL=f"postgresql://u:hush@127.0.0.1:{free_port()}/d")
    assert one["verdict"] == "fail"
    assert "hush" not in str(one)
    assert "does not exist" in only(program, "database", DATABASE_URL=postgres.url("no"))["seen"]
    refusal = program.refuse("organization", "list", DATABASE_URL=postgres.url("no"))
    assert "authreset doctor" in refusal["todo"]


def test_postgres_that_is_behind_wants_migrate(program: Program, postgres: PostgresServer) -> None:
    url = postgres.create_database("behind")
    try:
        assert only(program, "database", DATABASE_URL=url)["todo"] == "run `authreset migrate`"
        refusal = program.refuse("organization", "list", DATABASE_URL=url)
        assert refusal["todo"] == "run `authreset migrate`"
        assert program.do("migrate", DATABASE_URL=url)["applied"]
        assert program.do("organization", "list", DATABASE_URL=url) == {"entities": []}
    finally:
        postgres.drop_database("behind")


def test_a_full_disk_is_told(demo: Program) -> None:
    free = shutil.disk_usage(demo.data_dir).free
    for left, verdict in ((2**20, "fail"), (2**29, "warn"), (max(free, 2**31), "ok")):
        facts = DatabaseFacts(
            kind="SQLite", version=(3,), revision="1", newest_revision="1", free_bytes=left,
            is_embedded=True,
        )  # fmt: skip
        assert [one.verdict for one in examine_database(facts)] == [verdict]


def test_an_old_postgres_is_told() -> None:
    for major, verdict in ((14, "fail"), (15, "ok")):
        facts = DatabaseFacts(kind="PostgreSQL", version=(major, 1), revision="1",
                              newest_revision="1")  # fmt: skip
        assert [one.verdict for one in examine_database(facts)] == [verdict]


def test_a_proxy_that_nobody_trusts_is_told(demo: Program) -> None:
    url = f"https://127.0.0.1:{free_port()}"
    assert verdicts(demo, "trusted_proxies", PUBLIC_URL=url) == ["warn"]
    assert "trusted_proxies" not in checks(demo, PUBLIC_URL=url, TRUSTED_PROXIES="127.0.0.0/8")


def test_a_clock_that_differs_from_the_database_is_told() -> None:
    from authreset.flows.examine import examine_vital_signs
    from authreset.store.vital_signs import VitalSigns

    now = datetime.now(UTC)
    for seconds, verdict in ((0, "ok"), (1.9, "ok"), (3, "warn"), (-3, "warn")):
        signs = VitalSigns(now + timedelta(seconds=seconds), ())
        assert [one.verdict for one in examine_vital_signs(signs, now)] == [verdict]


def test_postgres_that_may_lose_commits_fails(
    program: Program, postgres: PostgresServer, postgres_url: str
) -> None:
    name = postgres_url.rpartition("/")[2]
    postgres.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    try:
        found = checks(program, DATABASE_URL=postgres_url)["database"]
    finally:
        postgres.execute(f'ALTER DATABASE "{name}" RESET synchronous_commit')
    assert [one["verdict"] for one in found] == ["ok", "fail"]
    assert "synchronous_commit=off" in found[1]["seen"]


def _timeless(text: str) -> str:
    """Leave out numbers: the two reports are made at different instants."""
    return re.sub(r"[0-9.]+", "", text)
