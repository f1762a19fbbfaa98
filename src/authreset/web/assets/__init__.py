"""The files that the hosted pages load, and the tiny stylesheet of a tenant's colour.

Everything is read once, at import. Never here: HTTP. The route decides the headers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Final

from authreset.web.assets.colours import is_colour, readable_ink, text_colour_on

_CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# The surfaces of style.css on which coloured text is hardest to read; a test compares them.
LIGHT_SURFACE: Final = "#f0eee9"
DARK_SURFACE: Final = "#1f2629"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file to serve; `digest` is the SHA-256 of `body` in hexadecimal."""

    body: bytes
    content_type: str
    digest: str


def make_asset(body: bytes, suffix: str) -> Asset:
    """Describe `body` as an asset. An unknown suffix raises KeyError."""
    return Asset(body, _CONTENT_TYPES[suffix], sha256(body).hexdigest())


def read_assets(folder: Path) -> Mapping[str, Asset]:
    """Read every style sheet, script and picture of `folder`, by file name."""
    files = sorted(file for file in folder.iterdir() if file.suffix in _CONTENT_TYPES)
    return MappingProxyType(
        {file.name: make_asset(file.read_bytes(), file.suffix) for file in files}
    )


ASSETS: Final = read_assets(Path(__file__).parent)


def accent_stylesheet(colour: str) -> bytes:
    """Return the style sheet that dresses the pages in `colour`, written `#rrggbb` in lower case.

    Text on the colour, and the colour used as text, keep the contrast of WCAG 2.2 AA (4.5 to 1)
    in light and in dark mode. Any other spelling of a colour raises ValueError.
    """
    if not is_colour(colour):
        raise ValueError("a colour is written as # and six lower-case hexadecimal digits")
    light = readable_ink(colour, on=LIGHT_SURFACE)
    dark = readable_ink(colour, on=DARK_SURFACE)
    return (
        f":root{{--accent:{colour};--on-accent:{text_colour_on(colour)};--accent-ink:{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{--accent-ink:{dark}}}}}\n"
    ).encode()


def find_asset(name: str) -> Asset | None:
    """Find what `/assets/<name>` answers: a file, or the generated style sheet of a colour."""
    colour = "#" + name.removeprefix("accent-").removesuffix(".css")
    if name == accent_name(colour) and is_colour(colour):
        return make_asset(accent_stylesheet(colour), ".css")
    return ASSETS.get(name)


def asset_url(name: str) -> str:
    """Return the path of an asset, with `?v=` and a part of its digest.

    The answer may be cached for ever when `v` fits the digest. An unknown name raises KeyError.
    """
    return _versioned(name, ASSETS[name])


def accent_url(colour: str | None) -> str | None:
    """Return the path of a colour's style sheet, or None for the colours of the house.

    A mistyped colour is no reason to keep a person from a new password, so it is None as well.
    """
    if colour is None or not is_colour(colour):
        return None
    return _versioned(accent_name(colour), make_asset(accent_stylesheet(colour), ".css"))


def accent_name(colour: str) -> str:
    """Return the file name under which the style sheet of `colour` is served."""
    return f"accent-{colour.removeprefix('#')}.css"


def _versioned(name: str, asset: Asset) -> str:
    return f"/assets/{name}?v={asset.digest[:16]}"
