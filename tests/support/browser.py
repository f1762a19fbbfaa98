"""A browser of sorts: what the tests of the pages do and look at."""

import httpx
from sqlalchemy import select

from authreset.store.tables import metadata
from tests.support.site import Site


async def get(site: Site, path: str, **options: object) -> httpx.Response:
    async with site.client(**options) as client:
        return await client.get(path, headers={"Accept": "text/html"})


async def post(site: Site, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with site.client() as client:
        return await client.post(path, data=form, headers={"Accept": "text/html"} | sent)


async def everything(site: Site) -> list[object]:
    async with site.recovery.database.read() as tx:
        return [
            [tuple(row) for row in await tx.execute(select(table))]
            for table in metadata.sorted_tables
        ]


def assert_private(page: httpx.Response) -> None:
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
