"""A demo installation with its mail server: what a story asks it, and what it reads from a mail."""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

import httpx
from payabli import payabli

from authreset.clock import utc_now
from authreset.rules.addresses import address_key
from authreset.rules.tenancy import EntityRef
from authreset.store.database import Database, Transaction, database_url
from authreset.store.entities import find_entity
from authreset.store.users import add_role, add_user
from tests.support.postgres import run_apart
from tests.support.server import Service, wait_until
from tests.support.smtp import CapturedMail, SmtpServer

T = TypeVar("T")


@dataclass
class House:
    """What `authreset demo` filled and `authreset serve` serves."""

    service: Service
    demo: dict[str, Any]
    smtp: SmtpServer
    _connections: list[httpx.Client] = field(default_factory=list)

    @property
    def entry(self) -> str:
        """The root organisation."""
        return str(self.demo["entry"])

    # As programs see it

    def sdk(self, token: str | None = None, **options: Any) -> payabli:
        """Return the published SDK with nothing changed but where it calls."""
        sdk = payabli(
            base_url=f"{self.service.url}/api",
            api_key=token or self.demo["organization_token"],
            timeout=20,
            **options,
        )
        self._connections.append(sdk._client_wrapper.httpx_client.httpx_client)
        return sdk

    def hang_up(self) -> None:
        """Close the connections of every SDK that was handed out; it has no way to do so itself."""
        while self._connections:
            self._connections.pop().close()

    def client(self, token: str | None = None, **options: Any) -> httpx.Client:
        """Return a plain HTTP client that holds a token."""
        headers = options.pop("headers", {})
        headers["requestToken"] = token or self.demo["organization_token"]
        return httpx.Client(base_url=self.service.url, headers=headers, timeout=30, **options)

    def ask(self, email: str, **headers: str) -> httpx.Response:
        """Ask for a reset, without the SDK."""
        with self.client() as client:
            return client.post("/api/User/authreset", json={"email": email}, headers=headers)

    def can_log_in(self, email: str, password: str) -> bool:
        """Tell whether a password is the user's, as the API sees it."""
        question = {"email": email, "psw": password, "entry": self.entry, "entryType": 0}
        with self.client(self.demo["application_token"]) as client:
            answer = client.post("/api/User/auth/local", json=question)
        assert answer.status_code in (200, 401), answer.text
        return answer.status_code == 200

    # As the owner of a mailbox sees it

    def mails_to(self, email: str) -> list[CapturedMail]:
        """Return what came for an address, the oldest first."""
        return [mail for mail in list(self.smtp.mails) if mail.recipients == [email]]

    def await_mail(self, email: str, count: int = 1) -> CapturedMail:
        """Wait for so many mails to an address and return the last of them."""
        self.smtp.wait_until(lambda _: len(self.mails_to(email)) >= count, 60)
        return self.mails_to(email)[-1]

    def mail_link(self, email: str) -> str:
        """Let a user ask for a reset, and return the link out of the mail."""
        before = len(self.mails_to(email))
        assert self.ask(email).status_code == 200
        return self.await_mail(email, before + 1).links[0]

    # As an operator sees it

    def add_user(self, email: str, password: str) -> None:
        """Add a user of the root organisation by the operators' program."""
        self.service.run(
            "user", "add", "--email", email, "--entry", self.entry, "--name", "A Person",
            "--password-stdin", typed=password,
        )  # fmt: skip

    def add_users(self, emails: list[str]) -> None:
        """Add many users at once, straight into the database."""

        async def add(database: Database) -> None:
            async with database.begin() as tx:
                entity = await find_entity(tx, self.entry)
                assert entity is not None
                for email in emails:
                    await _add_user(tx, entity, email)

        self.with_database(add)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return what a query finds in the database, without disturbing anybody."""
        address = f"file:{self.service.database}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=30)) as database:
            return database.execute(statement).fetchall()

    def with_database(self, work: Callable[[Database], Awaitable[T]]) -> T:
        """Do something with the database while nobody else may know."""

        async def run() -> T:
            given = self.service.settings.get("database_url", "")
            database = Database(database_url(given, Path(self.service.data)))
            try:
                return await work(database)
            finally:
                await database.close()

        return run_apart(run)

    def wait_until_worker_started(self) -> None:
        """Wait until the worker of the present start has signed."""

        def has_signed() -> bool:
            # One that was killed has left its name there: host and pid.
            signed = {
                int(name.rpartition(":")[2]) for (name,) in self.rows("SELECT name FROM workers")
            }
            return not signed.isdisjoint(self.service.processes())

        wait_until(has_signed, self.service.log)

    def wait_until_settled(self) -> None:
        """Wait until no request waits for a worker and no letter for its mail."""

        def is_settled() -> bool:
            (requests,) = self.rows("SELECT count(*) FROM requests WHERE outcome IS NULL")
            (letters,) = self.rows("SELECT count(*) FROM letters WHERE finished_at IS NULL")
            return requests == letters == (0,)

        wait_until(is_settled, self.service.log, 120)


def unique_address(name: str) -> str:
    """Return an address for a test of that name alone, since a mailbox is mailed once a minute."""
    return f"person-{crc32(name.encode()):08x}@example.com"


async def _add_user(tx: Transaction, entity: EntityRef, email: str) -> None:
    added = await add_user(
        tx, root_id=entity.root_id, email=email, email_key=address_key(email), name="A Person",
        now=utc_now(),
    )  # fmt: skip
    assert isinstance(added, int)
    await add_role(tx, added, entity.id, "User")
