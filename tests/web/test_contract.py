"""The contract of `POST /api/User/authreset`, row by row, over both ways into the intake.

One way is plain ASGI, the other a real connection to the product's own HTTP protocol. Whatever is
answered with 200 is one row in the database; whatever else is answered is none.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from authreset.hashing import HashingCost, PasswordHasher
from authreset.rules.keyrings import KeyRing, SecretKey
from authreset.rules.lockout import UserStatus
from authreset.rules.outcomes import TokenMode
from authreset.rules.tokens import TokenKind, digest_token, new_token
from authreset.store.api_tokens import add_api_token, find_api_token, revoke_api_token
from authreset.store.sessions import add_session
from authreset.web.reading import LONGEST_BODY
from tests.support.databases import FakeClock, SeededBytes, open_database, plant_tree
from tests.support.recovery import CLIENT, Recovery
from tests.support.site import Site
from tests.web.serving import served

PATH = "/api/User/authreset"
SUCCESS = {"isSuccess": True, "responseText": "Success"}
KEYS = KeyRing([SecretKey(b"the key of these tests, 32 bytes")])
JSON = {"Content-Type": "application/json"}


@dataclass
class Desk:
    """The site with tokens of every sort, and the two ways to it."""

    site: Site
    port: int
    tokens: dict[str, str | None] = field(default_factory=dict)

    def client(self, way: str, **options: Any) -> httpx.AsyncClient:
        if way == "asgi":
            return self.site.client(**options)
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", **options)

    async def count(self) -> int:
        return len(await self.site.recorded())

    async def call(
        self, way: str, body: Any = None, *, token: str | None = "organization",
        headers: Mapping[str, str] | list[tuple[str, str]] = JSON, path: str = PATH,
        method: str = "POST",
    ) -> httpx.Response:  # fmt: skip
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        given = [(name, value.encode("latin-1")) for name, value in pairs]
        known = self.tokens[token] if token else None
        if known is not None:
            given.append(("requestToken", known.encode()))
        async with self.client(way) as client:
            return await client.request(method, path, content=body, headers=given)

    async def add_tokens(self) -> None:
        """Issue what the tables name."""
        recovery = self.site.recovery
        tree, now, make = recovery.tree, recovery.clock(), self._issue
        self.tokens = {
            "missing": None,
            "empty": "",
            "garbage": "let me in",
            "malformed": "o." + "A" * 44,
            "unknown": self._new(TokenKind.ORGANIZATION),
            "reset": self._new(TokenKind.RESET),
            "organization": await make(),
            "application": await make(TokenKind.APPLICATION),
            "public": await make(mode="public"),
            "shop's": await make(entity_id=tree.shop.id),
            "expired": await make(expires_at=now),
            "revoked": await make(),
            "other network": await make(networks=["198.51.100.0/24"]),
            "own network": await make(networks=[f"{CLIENT}/32", "127.0.0.1/32"]),
            "no permission": await make(permissions=["login"]),
            "session": await self._open_session(UserStatus.ACTIVE),
            "session of an inactive user": await self._open_session(UserStatus.INACTIVE),
            "session that is over": await self._open_session(UserStatus.ACTIVE, timedelta(0)),
        }
        revoked = digest_token(str(self.tokens["revoked"]))
        async with recovery.database.begin() as tx:
            row = await find_api_token(tx, revoked)
            assert row is not None
            await revoke_api_token(tx, row.id, now)

    def _new(self, kind: TokenKind) -> str:
        return new_token(kind, KEYS, self.site.recovery.random_bytes)

    async def _issue(self, kind: TokenKind = TokenKind.ORGANIZATION, **given: Any) -> str:
        recovery, token = self.site.recovery, self._new(kind)
        values = {
            "mode": TokenMode.PRIVATE,
            "entity_id": recovery.tree.root.id,
            "networks": [],
            "expires_at": recovery.clock() + timedelta(days=30),
        }
        async with recovery.database.begin() as tx:
            await add_api_token(
                tx, digest=digest_token(token), kind=kind, now=recovery.clock(), **(values | given)
            )
        return token

    async def _open_session(
        self, status: UserStatus, lifetime: timedelta = timedelta(hours=2)
    ) -> str:
        recovery, token = self.site.recovery, self._new(TokenKind.SESSION)
        async with recovery.database.begin() as tx:
            await add_session(
                tx,
                digest=digest_token(token),
                user_id=recovery.tree.users[status],
                entity_id=recovery.tree.shop.id,
                created_at=recovery.clock(),
                expires_at=recovery.clock() + lifetime,
            )
        return token


@pytest.fixture(scope="module")
async def desk(sqlite_databases: Any, anyio_backend: str) -> AsyncIterator[Desk]:
    """Serve one site to every row of the tables."""
    url = sqlite_databases.make()
    database = open_database(url)
    async with database.begin() as tx:
        tree = await plant_tree(tx)
    hasher = PasswordHasher(HashingCost(memory_kib=64, passes=1))
    site = Site(Recovery(database, tree, KEYS, hasher, FakeClock(), SeededBytes()))
    async with served(site.parts) as port:
        desk = Desk(site, port)
        await desk.add_tokens()
        yield desk
    await site.close()
    hasher.close()
    await database.close()
    sqlite_databases.drop(url)


@pytest.fixture(params=["asgi", "wire"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def obj(**fields: object) -> bytes:
    return json.dumps(fields).encode()


ADA = "ada@example.com"
OWN = {"entry": "8cfec329267", "entryType": 2}

TAKEN = {
    "no body": None,
    "empty object": b"{}",
    "empty object with spaces": b" \r\n\t{ } ",
    "nulls": obj(email=None, entry=None, entryType=None),
    "e-mail": obj(email=ADA),
    "e-mail, entry of a paypoint": obj(email=ADA, **OWN),
    "entry of a partner": obj(entry="pilgrim", entryType=0),
    "entry of a partner below": obj(entry="pilgrim-north", entryType=0),
    "entry alone is null, so is its type": obj(email=ADA, entry=None, entryType=None),
    "unknown properties": obj(email=ADA, colour="red", nested={"a": [1, {"b": None}]}),
    "properties in another case are unknown ones": b'{"Email": 7, "EMAIL": []}',
    "NUL in an unknown property": b'{"x": "\\u0000"}',
    "the same name at two levels": b'{"x": {"email": 1}, "email": "ada@example.com"}',
    "escapes": b'{"\\u0065mail": "ada\\u0040example.com"}',
    "e-mail in capitals": obj(email="ADA@EXAMPLE.COM"),
    "e-mail with a tag": obj(email="ada+test@example.com"),
    "e-mail of another script": obj(email="jörg@müller.example"),
    "longest e-mail": obj(email="a" * 64 + "@" + ".".join(["b" * 62] * 4)[:249] + ".com"),
    "longest body": b"{}" + b" " * (LONGEST_BODY - 2),
}

BAD_BODIES = {
    "not JSON": b"email=ada@example.com",
    "spaces only": b"   ",
    "cut short": b'{"email": "ada@exam',
    "trailing data": b"{} {}",
    "trailing comma": b'{"email": null,}',
    "single quotes": b"{'email': null}",
    "comment": b"{/* x */}",
    "NaN": b'{"x": NaN}',
    "array": b"[]",
    "null": b"null",
    "string": b'"ada@example.com"',
    "number": b"0",
    "e-mail is a number": obj(email=5),
    "e-mail is an array": obj(email=[ADA]),
    "e-mail is an object": obj(email={"": ADA}),
    "e-mail is a boolean": obj(email=False),
    "entry is a number": obj(entry=8, entryType=2),
    "entryType is a string": obj(entry="pilgrim", entryType="0"),
    "entryType is a boolean": obj(entry="pilgrim", entryType=False),
    "entryType is a fraction": obj(entry="pilgrim", entryType=0.5),
    "entryType is an array": obj(entry="pilgrim", entryType=[0]),
    "property twice": b'{"email": "ada@example.com", "email": "eve@example.com"}',
    "property twice, the same": b'{"email": null, "email": null}',
    "property twice, escaped": b'{"email": "ada@example.com", "\\u0065mail": null}',
    "unknown property twice": b'{"x": 1, "x": 2}',
    "nested property twice": b'{"x": {"a": 1, "a": 2}}',
    "property twice in an array": b'{"x": [{"a": 1, "a": 2}]}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "invalid UTF-8": b'{"email": "ada\xff@example.com"}',
    "invalid UTF-8 in an unknown property": b'{"x": "\xc3\x28"}',
    "overlong UTF-8": b'{"x": "\xc0\xaf"}',
    "surrogate in UTF-8": b'{"x": "\xed\xa0\x80"}',
    "lone surrogate": b'{"email": "\\ud800@example.com"}',
    "lone surrogate in an unknown property": b'{"x": "\\udfff"}',
    "raw NUL": b'{"email": "ada\x00@example.com"}',
    "NUL between tokens": b"{\x00}",
    "raw line end in a string": b'{"x": "a\nb"}',
    "nested deeply": b'{"x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "nested deeply and cut short": b'{"x":' * 2000,
    "longer than the limit": b"{}" + b" " * (LONGEST_BODY - 1),
    "far longer than the limit": b"{}" + b" " * 200_000,
}

BAD_ADDRESSES = {
    "empty": "",
    "blank": " ",
    "no at sign": "ada.example.com",
    "two at signs": "ada@@example.com",
    "no local part": "@example.com",
    "no domain": "ada@",
    "no dot": "ada@localhost",
    "spaces around": " ada@example.com ",
    "name and address": "Ada <ada@example.com>",
    "two addresses": "ada@example.com,eve@example.com",
    "two addresses on two lines": "ada@example.com\neve@example.com",
    "header injection": "ada@example.com\r\nBcc: eve@example.com",
    "NUL": "ada\x00@example.com",
    "control character": "ada\x1b@example.com",
    "delete character": "ada\x7f@example.com",
    "right-to-left override": "ada\u202e@example.com",
    "zero-width space": "ada\u200b@example.com",
    "quoted": '"ada lovelace"@example.com',
    "comment": "ada(comment)@example.com",
    "address literal": "ada@[127.0.0.1]",
    "dots in a row": "ada..b@example.com",
    "leading dot": ".ada@example.com",
    "long local part": "a" * 65 + "@example.com",
    "long label": "ada@" + "b" * 64 + ".com",
    "over 320 characters": "a" * 64 + "@" + "b." * 150 + "com",
    "a whole book": "a" * 15_000,
}

BAD_ENTRIES = {
    "entry without type": obj(entry="pilgrim"),
    "entry with a null type": obj(entry="pilgrim", entryType=None),
    "type without entry": obj(entryType=0),
    "type with a null entry": obj(entry=None, entryType=2),
    "type 1": obj(entry="pilgrim", entryType=1),
    "type 3": obj(entry="pilgrim", entryType=3),
    "type -1": obj(entry="pilgrim", entryType=-1),
    "type beyond 64 bits": obj(entry="pilgrim", entryType=2**64),
    "type as a huge float": b'{"entry": "pilgrim", "entryType": 1e400}',
    "type of many digits": b'{"entry": "pilgrim", "entryType": ' + b"9" * 5000 + b"}",
    "type that does not fit": obj(entry="pilgrim", entryType=2),
    "type that does not fit the other way": obj(entry="8cfec329267", entryType=0),
    "empty": obj(entry="", entryType=0),
    "unknown": obj(entry="nowhere", entryType=0),
    "of another root": obj(entry="meridian", entryType=0),
    "in another case": obj(entry="PILGRIM", entryType=0),
    "NUL": obj(entry="pilgrim\x00", entryType=0),
    "control character": obj(entry="pil\x07grim", entryType=0),
    "long": obj(entry="p" * 101, entryType=0),
    "bad e-mail with a good entry": obj(email="ada", **OWN),
}

MEDIA_TYPES = {
    "application/json": 200,
    "application/json; charset=utf-8": 200,
    "Application/JSON;Charset=UTF-8": 200,
    'application/json; charset="utf-8"': 200,
    "application/json;": 200,
    "": 400,
    "text/plain": 400,
    "text/json": 400,
    "application/x-www-form-urlencoded": 400,
    "multipart/form-data; boundary=x": 400,
    "application/xml": 400,
    "application/jsonp": 400,
    "application/json, text/plain": 400,
    "application/json; charset=iso-8859-1": 400,
    "application/json; charset=utf-16": 400,
    "application/json; version=2": 400,
}

REFUSED_TOKENS = [
    "missing",
    "empty",
    "garbage",
    "malformed",
    "unknown",
    "expired",
    "revoked",
    "other network",
    "reset",
    "no permission",
    "session of an inactive user",
    "session that is over",
]

TAKEN_TOKENS = ["organization", "application", "public", "own network", "session"]


def assert_refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Check the error shape that the SDKs parse."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body: dict[str, Any] = answer.json()
    assert (body["isSuccess"], body["responseCode"]) == (False, status)
    assert body["responseText"]
    assert set(body["responseData"]) == {"explanation", "todoAction"}
    return body


class TestBodies:
    @pytest.mark.parametrize("body", TAKEN.values(), ids=TAKEN)
    async def test_well_formed_ones_are_recorded_once(self, desk, way, body):
        before = await desk.count()
        answer = await desk.call(way, body)
        assert (answer.status_code, answer.json()) == (200, SUCCESS)
        assert await desk.count() == before + 1

    @pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
    async def test_others_are_refused_and_not_recorded(self, desk, way, body):
        before = await desk.count()
        assert_refused(await desk.call(way, body), 400)
        assert await desk.count() == before

    @pytest.mark.parametrize("email", BAD_ADDRESSES.values(), ids=BAD_ADDRESSES)
    async def test_what_is_no_address_is_refused_and_not_recorded(self, desk, way, email):
        before = await desk.count()
        assert_refused(await desk.call(way, obj(email=email)), 400)
        assert await desk.count() == before

    @pytest.mark.parametrize("body", BAD_ENTRIES.values(), ids=BAD_ENTRIES)
    async def test_entries_that_do_not_fit_are_refused_and_not_recorded(self, desk, way, body):
        before = await desk.count()
        assert_refused(await desk.call(way, body), 400)
        assert await desk.count() == before

    async def test_entry_outside_the_tokens_tree_is_like_one_that_does_not_exist(self, desk, way):
        outside = [obj(entry=entry, entryType=0) for entry in ("pilgrim", "pilgrim-north")]
        unknown = obj(entry="nowhere", entryType=0)
        answers = [await desk.call(way, one, token="shop's") for one in (*outside, unknown)]
        assert {(one.status_code, one.content) for one in answers} == {(400, answers[0].content)}

    @pytest.mark.parametrize(("media_type", "status"), MEDIA_TYPES.items())
    async def test_content_type_of_a_body_is_json(self, desk, way, media_type, status):
        before = await desk.count()
        headers = {"Content-Type": media_type} if media_type else {}
        assert (await desk.call(way, b"{}", headers=headers)).status_code == status
        assert await desk.count() == before + (status == 200)

    @pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
    async def test_no_body_needs_no_content_type(self, desk, way, media_type):
        headers = {"Content-Type": media_type} if media_type else {}
        assert (await desk.call(way, b"", headers=headers)).status_code == 200

    @pytest.mark.parametrize(
        ("size", "status"), [(0, 200), (LONGEST_BODY - 2, 200), (LONGEST_BODY - 1, 400)]
    )
    async def test_stream_of_unknown_length_has_the_same_limit(self, desk, way, size, status):
        async def chunks() -> AsyncIterator[bytes]:
            yield b"{}"
            for start in range(0, size, 1000):
                yield b" " * min(1000, size - start)

        before = await desk.count()
        assert (await desk.call(way, chunks())).status_code == status
        assert await desk.count() == before + (status == 200)

    async def test_answer_to_a_fault_never_quotes_the_body(self, desk, way):
        answer = await desk.call(way, obj(email="s3cret-looking", entry="x", entryType="s3cret"))
        assert "s3cret" not in answer.text


class TestWhatIsRecorded:
    async def record(self, desk: Desk, way: str, body: bytes | None, token: str) -> dict[str, Any]:
        known = {row["id"] for row in await desk.site.recorded()}
        assert (await desk.call(way, body, token=token)).status_code == 200
        (row,) = [one for one in await desk.site.recorded() if one["id"] not in known]
        return row

    async def test_whole_question(self, desk, way):
        tree = desk.site.recovery.tree
        row = await self.record(desk, way, obj(email="Ada@Example.com", **OWN), "organization")
        assert row["email"] == "Ada@Example.com"
        assert (row["entity_id"], row["root_id"]) == (tree.shop.id, tree.root.id)
        assert (row["source"], row["user_id"], row["outcome"]) == ("api", None, None)
        assert row["received_at"] == desk.site.recovery.clock()
        assert row["token_id"] is not None
        assert row["client_address"] == (CLIENT if way == "asgi" else "127.0.0.1")

    async def test_without_an_entry_it_is_the_tokens_own_node(self, desk, way):
        row = await self.record(desk, way, None, "shop's")
        assert row["entity_id"] == desk.site.recovery.tree.shop.id
        assert row["email"] is None

    async def test_session_without_an_address_names_its_user(self, desk, way):
        recovery = desk.site.recovery
        row = await self.record(desk, way, None, "session")
        assert row["user_id"] == recovery.tree.users[UserStatus.ACTIVE]
        assert (row["token_id"], row["email"]) == (None, None)
        assert row["entity_id"] == recovery.tree.shop.id

    async def test_session_with_an_address_names_whom_the_address_names(self, desk, way):
        row = await self.record(desk, way, obj(email=ADA), "session")
        assert (row["user_id"], row["email"]) == (None, ADA)

    async def test_request_id_of_the_answer_is_the_rows(self, desk, way):
        answer = await desk.call(way, obj(email=ADA))
        ids = {str(row["id"]) for row in await desk.site.recorded()}
        assert answer.headers["x-request-id"] in ids


class TestTokens:
    @pytest.mark.parametrize("token", TAKEN_TOKENS)
    async def test_of_every_kind_that_may_are_taken(self, desk, way, token):
        before = await desk.count()
        assert (await desk.call(way, None, token=token)).json() == SUCCESS
        assert await desk.count() == before + 1

    async def test_every_cause_gets_the_same_answer_byte_for_byte(self, desk, way):
        before = await desk.count()
        answers = [await desk.call(way, obj(email=ADA), token=name) for name in REFUSED_TOKENS]
        good = ("requestToken", str(desk.tokens["organization"]))
        answers += [
            await desk.call(way, None, token=None, headers=headers)
            for headers in (
                [good, good],
                [good, ("requestToken", "x")],
                [("Authorization", "Bearer")],
                [("Authorization", "Bearer nonsense")],
                [("Authorization", f"Basic {desk.tokens['organization']}")],
                [("Authorization", str(desk.tokens["organization"]))],
                [("requestToken", ""), ("Authorization", f"Bearer {good[1]}")],
                [("requestToken", "é")],
            )
        ]
        assert_refused(answers[0], 401)
        assert {_without_id(one) for one in answers} == {_without_id(answers[0])}
        assert await desk.count() == before

    async def test_is_judged_before_the_body(self, desk, way):
        answer = await desk.call(way, b"no JSON", token="unknown")
        assert_refused(answer, 401)

    @pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER "])
    async def test_bearer_is_taken_too(self, desk, way, scheme):
        header = {"Authorization": f"{scheme}{desk.tokens['organization']}"}
        assert (await desk.call(way, None, token=None, headers=header)).json() == SUCCESS


def _without_id(answer: httpx.Response) -> tuple[int, bytes, tuple[tuple[str, str], ...]]:
    kept = [pair for pair in answer.headers.multi_items() if pair[0] != "x-request-id"]
    return answer.status_code, answer.content, tuple(kept)


class TestPathsAndMethods:
    @pytest.mark.parametrize(
        "path",
        [
            "/api/User/authreset",
            "/api//User/authreset",
            "/api/user/authreset",
            "/API/USER/AUTHRESET",
            "/api//USER/AuthReset",
            "/api/User/authreset?x=1",
            "/api/User/%61uthreset",
        ],
    )
    async def test_spellings_that_sdks_make(self, desk, way, path):
        before = await desk.count()
        assert (await desk.call(way, None, path=path)).json() == SUCCESS
        assert await desk.count() == before + 1

    @pytest.mark.parametrize(
        "path",
        [
            "/api/User/authreset/",
            "/api///User/authreset",
            "/api/User//authreset",
            "/api/User/authreset/x",
            "/User/authreset",
            "/api/User/authresett",
        ],
    )
    async def test_other_paths_lead_nowhere(self, desk, way, path):
        before = await desk.count()
        assert_refused(await desk.call(way, None, path=path), 404)
        assert await desk.count() == before

    @pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
    async def test_other_methods_are_refused_and_told_the_right_one(self, desk, way, method):
        before = await desk.count()
        answer = await desk.call(way, None, method=method)
        assert_refused(answer, 405)
        assert answer.headers["allow"] == "POST"
        assert await desk.count() == before

    async def test_head_is_refused_without_a_body(self, desk, way):
        answer = await desk.call(way, None, method="HEAD")
        assert (answer.status_code, answer.content) == (405, b"")


class TestFrontEnds:
    """A public token stands in a web page, so its calls come from browsers."""

    ORIGIN = ("Origin", "https://shop.example")

    async def test_preflight_allows_the_call_without_a_token(self, desk, way):
        asked = [self.ORIGIN, ("Access-Control-Request-Method", "POST")]
        asked += [("Access-Control-Request-Headers", "requesttoken,content-type")]
        before = await desk.count()
        answer = await desk.call(way, None, token=None, headers=asked, method="OPTIONS")
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "POST" in answer.headers["access-control-allow-methods"]
        allowed = answer.headers["access-control-allow-headers"].lower()
        assert {"requesttoken", "content-type"} <= set(allowed.replace(" ", "").split(","))
        assert "access-control-allow-credentials" not in answer.headers
        assert await desk.count() == before

    async def test_public_tokens_answer_may_be_read(self, desk, way):
        answer = await desk.call(way, b"{}", token="public", headers=[self.ORIGIN, *JSON.items()])
        assert answer.json() == SUCCESS
        assert answer.headers["access-control-allow-origin"] == "*"

    async def test_private_tokens_answer_may_not(self, desk, way):
        answer = await desk.call(way, b"{}", headers=[self.ORIGIN, *JSON.items()])
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers

    async def test_faults_may_be_read_whatever_the_token_was(self, desk, way):
        answers = [
            await desk.call(way, None, token=name, headers=[self.ORIGIN])
            for name in ("missing", "unknown", "expired")
        ]
        assert {_without_id(one) for one in answers} == {_without_id(answers[0])}
        assert answers[0].headers["access-control-allow-origin"] == "*"

    async def test_without_an_origin_nothing_is_said_about_it(self, desk, way):
        answer = await desk.call(way, b"{}", token="public")
        assert not [name for name in answer.headers if name.startswith("access-control")]


class TestFloods:
    async def test_address_that_floods_is_told_to_wait(self, desk, way):
        address = CLIENT if way == "asgi" else "127.0.0.1"
        before = await desk.count()
        desk.site.limited[address] = 6.2
        try:
            answers = [await desk.call(way, b"{}", token=name) for name in ("public", "unknown")]
        finally:
            desk.site.limited.clear()
        for answer in answers:
            assert_refused(answer, 429)
            assert answer.headers["retry-after"] == "7"
        assert await desk.count() == before

    async def test_token_that_floods_is_told_to_wait(self, desk, way):
        async with desk.site.recovery.database.read() as tx:
            row = await find_api_token(tx, digest_token(str(desk.tokens["public"])))
        assert row is not None
        before = await desk.count()
        desk.site.limited[str(row.id)] = 0.01
        try:
            limited = await desk.call(way, b"{}", token="public")
            other = await desk.call(way, b"{}")
        finally:
            desk.site.limited.clear()
        assert_refused(limited, 429)
        assert limited.headers["retry-after"] == "1"
        assert other.status_code == 200
        assert await desk.count() == before + 1


class TestEveryAnswer:
    CALLS: Mapping[str, Mapping[str, Any]] = {
        "200": {},
        "400": {"body": b"x"},
        "401": {"token": "unknown"},
        "404": {"path": "/api/nothing"},
        "405": {"method": "GET"},
        "204": {"method": "OPTIONS"},
    }

    @pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
    async def test_has_a_request_id_of_its_own_and_is_not_cached(self, desk, way, call):
        answers = [await desk.call(way, **call) for _ in range(2)]
        ids = {answer.headers["x-request-id"] for answer in answers}
        assert len(ids) == 2
        assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
        assert {answer.headers["x-content-type-options"] for answer in answers} == {"nosniff"}

    @pytest.mark.parametrize("status", ["400", "401", "404", "405"])
    async def test_refusals_stand_in_the_log_under_their_id(self, desk, way, status):
        desk.site.recovery.clock.advance(seconds=1)  # the log takes so many lines a second
        with capture_logs() as lines:
            answer = await desk.call(way, **self.CALLS[status])
        (line,) = [one for one in lines if one["event"] == "refused"]
        assert line["request_id"] == answer.headers["x-request-id"]
        assert line["status"] == int(status)
