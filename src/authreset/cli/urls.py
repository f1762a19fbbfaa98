"""Addresses as operators see them, made from where the service listens."""

from urllib.parse import urlsplit

_LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- shown, not bound


def url_of(host: str, port: int) -> str:
    """Return the address under which a server on this machine is reached from this machine."""
    shown = _ANYWHERE.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def is_loopback(url: str) -> bool:
    """Tell whether an address leads to this machine itself."""
    return urlsplit(url).hostname in _LOOPBACK_NAMES
