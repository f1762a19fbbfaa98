"""The calls of the API that several tests make."""

import httpx

from authreset.rules.lockout import UserStatus
from tests.support.databases import EMAILS
from tests.support.recovery import NEW, OLD
from tests.support.site import Site

EMAIL = EMAILS[UserStatus.ACTIVE]
SUCCESS = {"isSuccess": True, "responseText": "Success"}


def credentials(**changes: object) -> dict[str, object]:
    return {"email": EMAIL, "psw": OLD, **changes}


async def set_password(site: Site, token: str | None, password: object = NEW) -> httpx.Response:
    async with site.client(token) as client:
        return await client.put("/api/User/authpsw", json={"psw": password})


async def log_in(site: Site, token: str | None, **changes: object) -> httpx.Response:
    async with site.client(token) as client:
        return await client.post("/api/User/auth/null", json=credentials(**changes))
