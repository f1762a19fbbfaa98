"""Connections to one mail server: opened, checked before each reuse, closed in time.

What is said over a connection lives in `smtp`.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import cast

from aiosmtplib import SMTP, SMTPException, SMTPHeloError

from authreset.mail.smtp_settings import Encryption, SmtpSettings

IDLE_SECONDS = 30.0
LETTERS_PER_CONNECTION = 100

_FAREWELL_SECONDS = 2.0
_STARTTLS = {
    Encryption.IMPLICIT: False,
    Encryption.REQUIRED: True,
    Encryption.AUTO: None,
    Encryption.OFF: False,
}


class Client(SMTP):
    """The library's client with the methods of login that TLS makes safe."""

    AUTH_METHODS = ("plain", "login")

    def close(self) -> None:
        """Close at once. The polite end of TLS would wait for a server that may be hanging."""
        if self.transport is not None:
            cast("asyncio.WriteTransport", self.transport).abort()
        super().close()


class Connection:
    """One open connection, greeted, encrypted and logged in as the settings ask."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.letters = 0
        self.expiry: asyncio.TimerHandle | None = None

    def abort(self) -> None:
        """Close at once, without a goodbye."""
        self.keep()
        self.client.close()

    def keep(self) -> None:
        """Call off the expiry."""
        if self.expiry is not None:
            self.expiry.cancel()
            self.expiry = None


class ConnectionPool:
    """At most `settings.pool` connections at a time; whoever comes late waits for one.

    An idle connection is closed after `idle_seconds`, any after `letters_per_connection`. Raises
    OSError if `ca_file` cannot be read.
    """

    def __init__(
        self, settings: SmtpSettings, *, idle_seconds: float, letters_per_connection: int
    ) -> None:
        self._settings = settings
        self._idle_seconds = idle_seconds
        self._letters_per_connection = letters_per_connection
        self._tls = _tls_context(settings)
        self._slots = asyncio.Semaphore(settings.pool)
        self._idle: list[Connection] = []
        self._farewells: set[asyncio.Task[None]] = set()
        self._closed = False

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Client]:
        """Lend a working connection. Raises SMTPException or OSError if there is none to be had.

        It goes back to the pool unless the block ends with an exception.
        """
        async with self._slots:
            connection = await self._reuse() or Connection(await self._open())
            try:
                yield connection.client
            except BaseException:
                connection.abort()
                raise
            self._give_back(connection)

    async def close(self) -> None:
        """Say goodbye on every idle connection; one still lent is closed when it comes back."""
        self._closed = True
        while self._idle:
            self._retire(self._idle.pop())
        await asyncio.gather(*self._farewells)

    async def _reuse(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            connection.keep()
            try:
                await connection.client.rset()
            except (SMTPException, OSError):
                self._abandon(connection)
            except BaseException:
                connection.abort()
                raise
            else:
                return connection
        return None

    def _abandon(self, connection: Connection) -> None:
        """Drop all idle connections with the dead one, so that one time-out is the longest wait."""
        connection.abort()
        while self._idle:
            self._idle.pop().abort()

    async def _open(self) -> Client:
        settings = self._settings
        client = Client(
            hostname=settings.host,
            port=settings.port,
            username=settings.username,
            password=settings.password,
            local_hostname=settings.helo_name,
            timeout=settings.timeout,
            use_tls=settings.encryption is Encryption.IMPLICIT,
            start_tls=_STARTTLS[settings.encryption],
            tls_context=self._tls,
        )
        try:
            await client.connect()
            await _greet(client)
        except BaseException:
            client.close()
            raise
        return client

    def _give_back(self, connection: Connection) -> None:
        connection.letters += 1
        if not connection.client.is_connected:
            connection.abort()
        elif self._closed or connection.letters >= self._letters_per_connection:
            self._retire(connection)
        else:
            loop = asyncio.get_running_loop()
            connection.expiry = loop.call_later(self._idle_seconds, self._expire, connection)
            self._idle.append(connection)

    def _expire(self, connection: Connection) -> None:
        self._idle.remove(connection)
        self._retire(connection)

    def _retire(self, connection: Connection) -> None:
        farewell = asyncio.create_task(self._say_goodbye(connection))
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)

    async def _say_goodbye(self, connection: Connection) -> None:
        connection.keep()
        try:
            with contextlib.suppress(SMTPException, OSError):
                await connection.client.quit(timeout=min(self._settings.timeout, _FAREWELL_SECONDS))
        finally:
            connection.abort()


def _tls_context(settings: SmtpSettings) -> ssl.SSLContext | None:
    if settings.encryption is Encryption.OFF:
        return None
    return ssl.create_default_context(cafile=settings.ca_file)


async def _greet(client: Client) -> None:
    """Say EHLO, or HELO to a server too old for it, unless login or STARTTLS has done so."""
    if not client.is_ehlo_or_helo_needed:
        return
    try:
        await client.ehlo()
    except SMTPHeloError:
        if not client.is_connected:
            raise
        await client.helo()
