"""One client's session with the SMTP server of the tests: aiosmtpd, taught to fail on purpose."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

# aiosmtpd warns of a field that it sets itself at each login.
logging.getLogger("mail.log").setLevel(logging.ERROR)

if TYPE_CHECKING:
    from tests.support.smtp import SmtpServer

# CONNECT stands for the greeting, DATA for the command, BODY for the reply to the mail itself.
Stage = Literal[
    "CONNECT", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BODY", "RSET", "QUIT"
]


COMMAND_STAGES: tuple[Stage, ...] = (
    "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "RSET", "QUIT",
)  # fmt: skip
Command = Callable[[str | None], Awaitable[None]]


@dataclass(frozen=True)
class Reply:
    """Answer this line in place of the right one; 421 also closes the connection."""

    line: str


@dataclass(frozen=True)
class Hang:
    """Never answer."""


@dataclass(frozen=True)
class Drop:
    """Cut the connection without an answer."""

    keep: bool = True


Fault = Reply | Hang | Drop


class ServerSession(SMTP):
    """Asks the server before each stage whether to fail, and hands it each mail."""

    def __init__(self, server: "SmtpServer", loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            _Handler(),
            loop=loop,
            hostname="mail.test",
            ident="ESMTP",
            enable_SMTPUTF8=server.smtputf8,
            tls_context=server.certificate if server.tls == "starttls" else None,
            require_starttls=server.tls == "starttls",
            auth_require_tls=False,
            auth_exclude_mechanism={"LOGIN", "PLAIN"} - set(server.mechanisms),
            authenticator=self._authenticate_with,
        )
        self._server = server
        for stage in COMMAND_STAGES:
            method = self._smtp_methods[stage]
            self._smtp_methods[stage] = partial(self._command, stage, method)
        self._number: int | None = None
        self._username: str | None = None

    # Connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._number is None:
            self._number = self._server.connected(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.session is not None and self._number is not None:
            super().connection_lost(error)
            self._number = None
            self._server.disconnected(self)

    def eof_received(self) -> bool | None:
        # True, which keeps a half-closed connection, has no effect under TLS but a warning.
        super().eof_received()
        return False

    def cut(self) -> None:
        """Close the connection at once, TLS or not."""
        for transport in (self._original_transport, self.transport):
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()

    # Faults

    async def _fails(self, stage: Stage) -> bool:
        """Carry out the fault that is planned for this stage, if any."""
        match self._server.next_fault(stage):
            case None:
                return False
            case Reply(line):
                await self.push(line)
                if line.startswith("421") and self.transport is not None:
                    self.transport.close()
            case Hang():
                await self._silence()
            case Drop():
                self.cut()
                await self._silence()
        return True

    async def _silence(self) -> NoReturn:
        """Wait for the end of the connection, which cancels this task."""
        await self.loop.create_future()
        raise AssertionError("unreachable")

    async def _handle_client(self) -> None:
        # The library greets first thing in here.
        if not await self._fails("CONNECT"):
            await super()._handle_client()

    async def _command(self, stage: Stage, method: Command, arg: str | None) -> None:
        mechanism = f" {arg.split()[0]}" if stage == "AUTH" and arg else ""
        self._server.heard(stage + mechanism)
        if not await self._fails(stage):
            await method(arg)

    async def check_auth_needed(self, caller_method: str) -> bool:
        if self._server.credentials is None or self._username is not None:
            return False
        await self.push("530 5.7.0 Authentication required")
        return True

    def _authenticate_with(self, *arguments: Any) -> AuthResult:
        given: LoginPassword = arguments[-1]
        username, password = self._server.credentials or ("", "")
        if given != (username.encode(), password.encode()):
            return AuthResult(success=False, handled=False)
        self._username = username
        return AuthResult(success=True, auth_data=given)

    # Mails

    async def take(self, envelope: Envelope) -> str:
        """Keep the mail, or do with it what is planned, and return the reply."""
        match self._server.next_fault("BODY"):
            case None:
                return self._server.accepted_reply.format(number=self._keep(envelope))
            case Reply(line):
                if line.startswith("2"):
                    self._keep(envelope)
                if line.startswith("421") and self.transport is not None:
                    self.loop.call_soon(self.transport.close)
                return line
            case Hang():
                pass
            case Drop(keep):
                if keep:
                    self._keep(envelope)
                self.cut()
        return await self._silence()

    def _keep(self, envelope: Envelope) -> int:
        return self._server.capture(
            sender=envelope.mail_from or "",
            recipients=list(envelope.rcpt_tos),
            options=list(envelope.mail_options),
            raw=envelope.original_content or b"",
            connection=self._number or 0,
            encrypted=self._server.tls == "implicit" or self._tls_protocol is not None,
            username=self._username,
        )


class _Handler:
    """Where aiosmtpd delivers mails."""

    # aiosmtpd looks the hook up by this name.
    async def handle_DATA(  # noqa: N802
        self, session: ServerSession, _: Any, envelope: Envelope
    ) -> str:
        return await session.take(envelope)
