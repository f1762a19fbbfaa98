"""Reading what a browser sends: forms strictly, and whether they were sent from our own pages.

What a form asks for is not judged here.
"""

from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from authreset.web.faults import Fault, bad_request
from authreset.web.receiving import read_body

MOST_FIELDS: Final = 16

NOT_A_FORM: Final = bad_request("This address takes forms only.", "Send the form of the page.")
MALFORMED_FORM: Final = bad_request("The form cannot be read.", "Send the form of the page.")


async def read_form(request: Request) -> dict[str, str] | Fault:
    """Return the fields of a urlencoded form, each named once, or the fault to answer with."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        return NOT_A_FORM
    body = await read_body(request)
    return body if isinstance(body, Fault) else _parse(body)


def _parse(body: bytes) -> dict[str, str] | Fault:
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:  # also UnicodeDecodeError
        return MALFORMED_FORM
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else MALFORMED_FORM


def is_from_elsewhere(request: Request, public_url: str) -> bool:
    """Tell whether a browser says that another site sent this form (Fetch Metadata, RFC 6454).

    A client that says nothing is no browser that could be lured.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    # Our pages ask for no referrer, which makes browsers send "null" even to ourselves; those that
    # reach us without TLS tell no Sec-Fetch-Site to decide by.
    if origin is None or origin == "null":
        return False
    return origin != _origin_of(public_url) and _host_of(origin) != request.headers.get("host")


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
