"""What surrounds every answer: ids, headers, faults in their form, and what operators watch."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from authreset.hashing import HashingCost, PasswordHasher
from authreset.rules.tokens import TokenKind, new_token
from authreset.store.workers import WorkerSign, sign_worker
from authreset.web.app import SECURITY_HEADERS
from tests.support.databases import FakeClock, SeededBytes, Tree, open_database
from tests.support.postgres import free_port
from tests.support.recovery import CLIENT, Recovery
from tests.support.site import PUBLIC_URL, Site
from tests.web.test_contract import KEYS, assert_refused

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SECRET = "r." + "s3cret" * 8


@pytest.fixture
def url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
async def lost_site() -> AsyncIterator[Site]:
    """Serve over a database that cannot be reached."""
    database = open_database(f"postgresql://postgres@127.0.0.1:{free_port()}/nothing")
    tree = Tree(*[None] * 5, {}, 0)  # type: ignore[arg-type]  # nothing of it is looked at
    hasher = PasswordHasher(HashingCost(memory_kib=64, passes=1))
    site = Site(Recovery(database, tree, KEYS, hasher, FakeClock(), SeededBytes()))
    yield site
    await site.close()
    hasher.close()
    await database.close()


async def ask(site: Site, path: str, method: str = "GET", **options: object) -> httpx.Response:
    async with site.client() as client:
        return await client.request(method, path, **options)


class TestHeaders:
    @pytest.mark.parametrize(
        "path", ["/forgot?entry=pilgrim", "/reset/nonsense", "/docs", "/nothing", "/healthz"]
    )
    async def test_every_answer_has_those_that_protect_its_reader(self, site, path):
        answer = await ask(site, path, headers=PAGE)
        for name, value in SECURITY_HEADERS.items():
            assert answer.headers[name] == value, name
        assert answer.headers["x-request-id"]

    async def test_policy_lets_no_script_run_that_is_not_a_file_of_ours(self, site):
        answer = await ask(site, "/forgot?entry=pilgrim", headers=PAGE)
        policy = dict(
            part.strip().split(" ", 1)
            for part in answer.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'self'"
        assert "unsafe" not in answer.headers["content-security-policy"]

    @pytest.mark.parametrize("path", ["/api/User/authreset", "/api//User/AUTHPSW"])
    async def test_preflight_is_answered_for_the_calls_of_front_ends(self, site, path):
        answer = await ask(site, path, "OPTIONS", headers={"Origin": "https://shop.example"})
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == "*"

    @pytest.mark.parametrize("path", ["/api/User/auth/null", "/api/User/authrefresh", "/forgot"])
    async def test_and_for_no_other(self, site, path):
        answer = await ask(site, path, "OPTIONS", headers={"Origin": "https://shop.example"})
        assert answer.status_code == 405
        assert "access-control-allow-origin" not in answer.headers


class TestNothingThere:
    @pytest.mark.parametrize(
        "path", ["/", "/api", "/api/", "/api/User", "/api/nothing", "/favicon.ico", "/forgot/"]
    )
    async def test_programs_are_told_in_json(self, site, path):
        assert_refused(await ask(site, path), 404)

    async def test_people_are_told_on_a_page(self, site):
        answer = await ask(site, "/nothing", headers=PAGE)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["x-request-id"] in answer.text

    async def test_below_the_api_everybody_is_a_program(self, site):
        assert_refused(await ask(site, "/api/nothing", headers=PAGE), 404)

    async def test_no_one_is_sent_elsewhere_by_the_name_they_called_us(self, site):
        answer = await ask(site, "/forgot/?entry=pilgrim", headers={"Host": "evil.example"})
        assert answer.status_code == 404
        assert "location" not in answer.headers

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "BREW"])
    async def test_other_methods_are_refused_and_told_the_right_ones(self, site, method):
        answer = await ask(site, "/healthz", method)
        assert_refused(answer, 405)
        assert "GET" in answer.headers["allow"]

    @pytest.mark.parametrize("path", ["/%00", "/reset/%00", "/assets/%2e%2e/app.py", "/%ff"])
    async def test_odd_paths_are_nothing_too(self, site, path):
        assert (await ask(site, path)).status_code == 404


class TestFaultsOfOurs:
    async def fail(self, site: Site, headers: dict[str, str]) -> tuple[httpx.Response, list[dict]]:
        async def spoilt(_rows: object) -> None:
            raise RuntimeError(f"a fault that quotes {SECRET} of ada@example.com")

        broken = Site(site.recovery, append=spoilt)
        token = await broken.add_token()
        with capture_logs() as lines:
            async with broken.client(token, headers=headers) as client:
                answer = await client.post("/api/User/authreset", json={})
        await broken.close()
        return answer, lines

    async def test_tell_a_request_id_and_nothing_else(self, site):
        answer, lines = await self.fail(site, {})
        body = assert_refused(answer, 500)
        request_id = answer.headers["x-request-id"]
        assert request_id in body["responseData"]["explanation"]
        assert "RuntimeError" not in answer.text
        assert SECRET not in answer.text
        (line,) = [one for one in lines if one["event"] == "refused"]
        assert (line["request_id"], line["status"]) == (request_id, 500)

    async def test_handler_that_fails_is_logged_once_with_its_place(self, site):
        """Breaks the database in a way that is no outage, below a page."""
        async with site.recovery.database.begin() as tx:
            await tx.exec_driver_sql("ALTER TABLE entities RENAME TO lost")
        with capture_logs() as lines:
            program = await ask(site, "/forgot?entry=pilgrim")
            person = await ask(site, "/forgot?entry=pilgrim", headers=PAGE)
        assert_refused(program, 500)
        assert person.status_code == 500
        assert person.headers["content-type"].startswith("text/html")
        failed = [one for one in lines if one["event"] == "failed"]
        ids = [one.headers["x-request-id"] for one in (program, person)]
        assert [one["request_id"] for one in failed] == ids
        for answer, request_id in zip((program, person), ids, strict=True):
            assert request_id in answer.text
            assert "lost" not in answer.text
            assert "Traceback" not in answer.text


class TestLostDatabase:
    @pytest.mark.parametrize("call", ["authreset", "auth/null"])
    async def test_calls_are_told_when_to_come_again(self, lost_site, call):
        token = new_token(TokenKind.APPLICATION, KEYS, SeededBytes())
        headers = {"requestToken": token}
        answer = await ask(lost_site, f"/api/User/{call}", "POST", headers=headers)
        assert_refused(answer, 503)
        assert int(answer.headers["retry-after"]) > 0

    async def test_pages_say_so_to_people(self, lost_site):
        answer = await ask(lost_site, "/forgot?entry=pilgrim", headers=PAGE)
        assert (answer.status_code, "text/html" in answer.headers["content-type"]) == (503, True)

    async def test_garbage_is_refused_all_the_same(self, lost_site):
        headers = {"requestToken": "garbage"}
        answer = await ask(lost_site, "/api/User/authreset", "POST", headers=headers)
        assert_refused(answer, 401)


class TestForOperators:
    async def test_process_says_that_it_lives_with_no_database(self, lost_site):
        answer = await ask(lost_site, "/healthz")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")

    async def test_readiness_is_about_the_database(self, site, lost_site):
        ready = await ask(site, "/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
        lost = await ask(lost_site, "/readyz")
        assert (lost.status_code, lost.json()["status"]) == (503, "not ready")

    async def test_readiness_is_about_migrations(self, site):
        async with site.recovery.database.begin() as tx:
            await tx.exec_driver_sql("DELETE FROM alembic_version")
        answer = await ask(site, "/readyz")
        assert answer.status_code == 503
        assert "authreset migrate" in answer.json()["reason"]

    async def test_metrics_measure_what_waits(self, site):
        token = await site.add_token()
        headers = {"requestToken": token}
        for _ in range(3):
            await ask(site, "/api/User/authreset", "POST", headers=headers)
        site.recovery.clock.advance(seconds=90)
        now = site.recovery.clock()
        async with site.recovery.database.begin() as tx:
            await sign_worker(tx, WorkerSign("one", now, now, "reachable"))
            await sign_worker(tx, WorkerSign("old", now, now.replace(year=2000), "reachable"))
        values = await self.metrics(site)
        assert values["authreset_database_up"] == 1
        assert values["authreset_requests_waiting"] == 3
        assert values["authreset_oldest_request_seconds"] == 90
        assert values["authreset_workers_alive"] == 1

    async def test_metrics_are_told_without_a_database_too(self, lost_site):
        values = await self.metrics(lost_site)
        assert values["authreset_database_up"] == 0

    async def metrics(self, site: Site) -> dict[str, float]:
        answer = await ask(site, "/metrics")
        assert answer.status_code == 200
        families = text_string_to_metric_families(answer.text)
        return {one.name: one.value for family in families for one in family.samples}

    @pytest.mark.parametrize("mark", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
    async def test_metrics_are_not_for_whom_a_proxy_brings(self, site, mark):
        """The counts of outcomes, read around a request of one's own, tell who has an account."""
        answer = await ask(site, "/metrics", headers={mark: "203.0.113.9"})
        assert answer.status_code == 404
        assert "authreset_" not in answer.text

    async def test_strangers_cannot_fill_the_metrics_with_names_of_their_own(self, site):
        for n in range(50):
            await ask(site, f"/made-up-{n}")
            await ask(site, f"/api/User/auth/made-up-{n}")
        text = (await ask(site, "/metrics")).text
        assert "made-up" not in text
        routes = {
            sample.labels["route"]
            for family in REGISTRY.collect()
            if family.name == "authreset_answers"
            for sample in family.samples
        }
        assert not [one for one in routes if "made-up" in one]


class TestLog:
    @pytest.mark.parametrize(
        ("method", "path", "route"),
        [
            ("POST", "/api/User/auth/null", "/api/user/auth/{provider}"),
            ("PUT", "/api/User/authpsw", "/api/user/authpsw"),
            ("GET", "/api/User/authlogout", "/api/user/authlogout"),
            ("POST", "/api/v2/Token/serverside", "/api/v2/token/serverside"),
            ("POST", "/forgot", "/forgot"),
            ("GET", f"/reset/{SECRET}", "/reset/{token}"),
            ("GET", "/nothing", "(none)"),
        ],
    )
    async def test_has_every_refusal_under_its_id(self, site, method, path, route):
        with capture_logs() as lines:
            answer = await ask(site, path, method)
        (line,) = lines
        assert line["request_id"] == answer.headers["x-request-id"]
        assert (line["route"], line["status"]) == (route, answer.status_code)

    @pytest.mark.parametrize("method", ["DELETE", "PUT"])
    async def test_link_never_stands_in_it(self, site, method):
        with capture_logs() as lines:
            await ask(site, f"/reset/{SECRET}", method)
            await ask(site, f"/RESET/{SECRET}")
            await ask(site, f"//reset/{SECRET}")
            await ask(site, f"/reset/{SECRET}/more")
        assert len(lines) == 4
        assert SECRET not in json.dumps(lines)

    async def test_flood_of_refusals_does_not_fill_the_disk(self, site):
        with capture_logs() as lines:
            await asyncio.gather(*(ask(site, "/nothing") for _ in range(200)))
            assert 0 < len(lines) <= 20
            site.recovery.clock.advance(seconds=1)
            await ask(site, "/nothing")
        (silenced,) = [one for one in lines if one["event"] == "refusals_not_logged"]
        assert silenced["count"] == 180


async def test_other_protocols_go_by(site):
    """A lifespan or a websocket is none of the frame's business and must not crash it."""
    sent: list[object] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: object) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "websocket",
        "path": "/nothing",
        "headers": [],
        "client": (CLIENT, 1),
        "query_string": b"",
    }
    receiving: Receive = receive
    sending: Send = send
    await site.app(scope, receiving, sending)
    assert sent == [{"type": "websocket.close", "code": 1000, "reason": ""}]
    assert PUBLIC_URL
