"""The template engine of the hosted pages and its few filters.

Every value is escaped and a missing one is an error. Never here: what a page shows.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from authreset.web.assets import accent_url, asset_url

_LINK: Final = re.compile(r"(https?://[^\s<>\"]*[^\s<>\"'.,;:!?)\]}])")
_CODE: Final = re.compile(r"`([^`\n]+)`")


def linked(text: str) -> Markup:
    """Escape `text` and make its web addresses links that tell the target nothing of the page."""
    parts = _LINK.split(text)
    marked = (_link(part) if index % 2 else escape(part) for index, part in enumerate(parts))
    return Markup("").join(marked)


def _link(address: str) -> Markup:
    return Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(address)


def prose(text: str) -> Markup:
    """Escape `text` and set its paragraphs, its lists of dashes and its code in back quotes."""
    blocks = (block.strip() for block in re.split(r"\n\s*\n", text))
    return Markup("\n").join(_block(block) for block in blocks if block)


def _block(block: str) -> Markup:
    if not block.startswith(("- ", "* ")):
        return Markup("<p>{}</p>").format(_with_code(block))
    items = re.split(r"\n\s*[-*] ", block[2:])
    return Markup("<ul>{}</ul>").format(
        Markup("").join(Markup("<li>{}</li>").format(_with_code(item)) for item in items)
    )


def _with_code(text: str) -> Markup:
    parts = _CODE.split(text)
    marked = (
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part)
        for index, part in enumerate(parts)
    )
    return Markup("").join(marked)


def instant(at: datetime) -> str:
    """Write an instant for people, in UTC and to the second."""
    return at.astimezone(UTC).strftime("%-d %b %Y, %H:%M:%S UTC")


def make_environment() -> Environment:
    """Return the engine that knows this folder's templates."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"linked": linked, "prose": prose, "instant": instant}
    environment.globals |= {"asset_url": asset_url, "accent_url": accent_url}
    return environment
