"""Asks a public URL whether it is this service that answers there."""

import json
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, build_opener

SECONDS = 4.0
_MOST_BYTES = 4096


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_args: object) -> None:
        return None


def ask_healthz(base_url: str) -> str:
    """Return "ours", or a description of what else was met. A redirection is not followed."""
    opener = build_opener(_NoRedirects)
    try:
        with opener.open(f"{base_url}/healthz", timeout=SECONDS) as reply:
            body = json.loads(reply.read(_MOST_BYTES))
    except HTTPError as fault:
        return f"answered {fault.code}"
    except (URLError, OSError, HTTPException) as fault:
        return f"cannot be reached: {getattr(fault, 'reason', None) or fault}"
    except ValueError:
        return "another service answers there"
    is_ours = isinstance(body, dict) and body.get("name") == "authreset"
    return "ours" if is_ours else "another service answers there"
