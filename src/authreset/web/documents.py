"""What is the same for everybody: style sheets, scripts, the API's document and reference."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from authreset.web.answers import page
from authreset.web.faults import NOT_FOUND
from authreset.web.parts import WebParts
from authreset.web.views import DocsView, find_asset

OPENAPI_PATH: Final = "/openapi.json"
OPENAPI_BODY: Final = files("authreset.web").joinpath("openapi.json").read_bytes()
OPENAPI: Final[Mapping[str, Any]] = json.loads(OPENAPI_BODY)

FOR_EVER: Final = "public, max-age=31536000, immutable"


def routes(parts: WebParts) -> list[BaseRoute]:
    """Return the routes of the documents."""
    view = DocsView(OPENAPI_PATH, OPENAPI, parts.public_url)

    async def show_reference(_request: Request) -> Response:
        return page(view)

    return [
        Route("/assets/{name}", send_asset),
        Route("/docs", show_reference),
        Route(OPENAPI_PATH, send_document),
    ]


async def send_asset(request: Request) -> Response:
    """Send a file; for ever, when it was asked for by its digest."""
    asset = find_asset(request.path_params["name"])
    if asset is None:
        raise HTTPException(NOT_FOUND.status)
    version = request.query_params.get("v", "")
    known = len(version) >= 16 and asset.digest.startswith(version)
    headers = {"cache-control": FOR_EVER if known else "no-cache"}
    return Response(asset.body, headers=headers, media_type=asset.content_type)


async def send_document(_request: Request) -> Response:
    """Send the OpenAPI document."""
    return Response(OPENAPI_BODY, media_type="application/json")
