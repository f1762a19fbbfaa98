"""Colour arithmetic of WCAG 2.2: relative luminance, contrast, a readable shade.

Never here: which colours the pages use; style.css says that.
"""

import re
from typing import Final

AA_TEXT: Final = 4.5  # success criterion 1.4.3, text of normal size
_COLOUR: Final = re.compile(r"#[0-9a-f]{6}")
_STEPS: Final = 20


def is_colour(text: str) -> bool:
    """Tell whether `text` is `#` and six lower-case hexadecimal digits, and nothing else."""
    return _COLOUR.fullmatch(text) is not None


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def text_colour_on(background: str) -> str:
    """Return black or white, whichever reads better; the better one always reaches 4.5 to 1."""
    return max("#000000", "#ffffff", key=lambda ink: contrast(ink, background))


def readable_ink(colour: str, *, on: str) -> str:
    """Return the shade of `colour` nearest to it that reads 4.5 to 1 or better on `on`."""
    end = text_colour_on(on)
    shades = (_mix(colour, end, step / _STEPS) for step in range(_STEPS + 1))
    return next(shade for shade in shades if contrast(shade, on) >= AA_TEXT)


def _channels(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _mix(start: str, end: str, share: float) -> str:
    pairs = zip(_channels(start), _channels(end), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)
