"""The whole application in this process, its clients, and the document that binds its answers.

Each answer to a call that the document describes is checked against it, in whatever test.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from openapi_schema_validator import OAS31Validator
from sqlalchemy import select

from authreset.config import Settings
from authreset.flows.accept_request import Intake
from authreset.flows.authenticate import Authenticator
from authreset.rules.limits import KeyedBuckets
from authreset.rules.outcomes import TokenMode
from authreset.rules.tenancy import EntityRef
from authreset.rules.tokens import TokenKind, digest_token, new_token
from authreset.store.api_tokens import add_api_token
from authreset.store.tables import requests
from authreset.strength import estimate_strength
from authreset.web.app import build_app
from authreset.web.documents import OPENAPI
from authreset.web.intake import IntakeCalls
from authreset.web.journal import Journal
from authreset.web.parts import PASSWORDS_A_HOLDER, WebParts
from authreset.wiring import open_appender
from tests.support.appending import until_moved
from tests.support.recovery import CLIENT, Recovery

PUBLIC_URL = "https://accounts.example.com"


@dataclass
class Site:
    """The application over a test's database.

    `limited` holds the seconds to wait by key; `append` stands in for what stores requests.
    """

    recovery: Recovery
    settings: Settings = field(default_factory=Settings)
    mailbox_shown: bool = False
    append: Callable[[Any], Awaitable[None]] | None = None
    limited: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        recovery = self.recovery
        self._appender = open_appender(recovery.database)
        self._intake = Intake(self.append or self._appender.append, flights=self._appender.flights)
        self.parts = WebParts(
            settings=self.settings,
            keyring=recovery.keyring,
            database=recovery.database,
            intake_database=recovery.database,
            authenticator=Authenticator(
                intake=recovery.database,
                main=recovery.database,
                keyring=recovery.keyring,
                clock=recovery.clock,
                monotonic=recovery.clock.monotonic,
            ),
            intake=self._intake,
            hasher=recovery.hasher,
            estimate=estimate_strength,
            clock=recovery.clock,
            random_bytes=recovery.random_bytes,
            new_id=recovery.random_bytes.uuid,
            public_url=PUBLIC_URL,
            mailbox_shown=self.mailbox_shown,
            limit_token=self._wait_of,
            limit_address=self._wait_of,
            limit_passwords=KeyedBuckets(
                PASSWORDS_A_HOLDER, PASSWORDS_A_HOLDER.count, recovery.clock.monotonic
            ).take,
        )
        journal = Journal(recovery.clock.monotonic)
        self.app = build_app(self.parts, journal, IntakeCalls(self.parts, journal))

    def _wait_of(self, key: str) -> float:
        return self.limited.get(key, 0.0)

    def client(self, token: str | None = None, **options: Any) -> httpx.AsyncClient:
        """Return a client; `peer` is where it comes from, `url` under which name it sees us."""
        peer = options.pop("peer", CLIENT)
        transport = httpx.ASGITransport(self.app, client=(peer, 50_000))
        headers = options.pop("headers", {}) | ({"requestToken": token} if token else {})
        return httpx.AsyncClient(
            transport=transport,
            base_url=options.pop("url", PUBLIC_URL),
            headers=headers,
            event_hooks={"response": [check_documented]},
            **options,
        )

    async def add_token(
        self,
        kind: TokenKind = TokenKind.APPLICATION,
        *,
        mode: TokenMode = TokenMode.PRIVATE,
        entity: EntityRef | None = None,
        permissions: tuple[str, ...] | None = None,
    ) -> str:
        """Store an API token of the root organisation, unless said otherwise, and return it."""
        recovery = self.recovery
        token = new_token(kind, recovery.keyring, recovery.random_bytes)
        async with recovery.database.begin() as tx:
            await add_api_token(
                tx,
                digest=digest_token(token),
                kind=kind,
                mode=mode,
                entity_id=(entity or recovery.tree.root).id,
                networks=(),
                now=recovery.clock(),
                expires_at=recovery.clock() + timedelta(days=30),
                permissions=permissions,
            )
        return token

    async def until_moved(self) -> None:
        """Return when what was answered with success is where a worker looks for it."""
        await until_moved(self._appender)

    async def recorded(self) -> list[dict[str, Any]]:
        """Return the requests that were recorded, the oldest first."""
        await self.until_moved()
        async with self.recovery.database.read() as tx:
            found = await tx.execute(select(requests).order_by(requests.c.received_at))
            return [dict(row) for row in found.mappings()]

    async def close(self) -> None:
        """Let go of what the site holds open."""
        await self._intake.close()
        await self._appender.close()


_PATHS: Mapping[str, str] = {path.lower(): path for path in OPENAPI["paths"]}


async def check_documented(response: httpx.Response) -> None:
    """Fail when the document does not foresee an answer, for calls that it describes."""
    operation = _operation(response.request)
    if operation is None:
        return
    await response.aread()
    described = operation["responses"].get(str(response.status_code))
    assert described is not None, f"{response.status_code} is not documented: {response.text}"
    described = _resolve(described)
    media_type = response.headers["content-type"].partition(";")[0]
    content = described["content"][media_type]
    if media_type == "application/json":
        schema = {**content["schema"], "components": OPENAPI["components"]}
        OAS31Validator(schema).validate(response.json())
    for name in described["headers"]:
        assert name in response.headers, f"{name} is missing"


def _operation(request: httpx.Request) -> Mapping[str, Any] | None:
    path = request.url.path.lower()
    if path.startswith("/api/user/auth/"):
        path = "/api/user/auth/{provider}"
    item = OPENAPI["paths"].get(_PATHS.get(path, ""), {})
    found: Mapping[str, Any] | None = item.get(request.method.lower())
    return found


def _resolve(node: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in node:
        found: Any = OPENAPI
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node
