"""Addresses as operators see them and write them: where something listens."""

import re
from urllib.parse import urlsplit

_LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([1-9][0-9]{0,4})", re.ASCII)
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- shown, not bound


def url_of(host: str, port: int) -> str:
    """Return the address under which a server on this machine is reached from this machine."""
    shown = _ANYWHERE.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def is_loopback(url: str) -> bool:
    """Tell whether an address leads to this machine itself."""
    return urlsplit(url).hostname in _LOOPBACK_NAMES


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT. Raises ValueError that says what to write."""
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match[3]) > 65535:
        raise ValueError(
            f"{text!r} is no address: write HOST:PORT, such as 127.0.0.1:9101 or [::1]:9101"
        )
    return match[1] or match[2], int(match[3])
