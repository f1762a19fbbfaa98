"""Durations, instants and colours in the form in which letters show them.

The sentences themselves live in the templates.
"""

from datetime import UTC, datetime, timedelta

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_UNITS = (
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)


def describe_duration(duration: timedelta) -> str:
    """Return the duration in the largest unit of which it has two or more, such as '60 minutes'.

    What does not fill a unit is left out, so that the promise is never longer than the truth;
    a duration under two minutes is told in seconds.
    """
    for unit, name in _UNITS:
        if duration >= 2 * unit and (name == "minute" or not duration % unit):
            return f"{duration // unit} {name}s"
    return f"{duration // timedelta(seconds=1)} seconds"


def describe_instant(instant: datetime) -> str:
    """Return an instant as '17 November 2026 at 14:03 UTC'. Raises ValueError if it has no zone."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    at = instant.astimezone(UTC)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year} at {at:%H:%M} UTC"


def readable_ink(background: str) -> str:
    """Return white or black, whichever contrasts better: by WCAG 2.2 at least 4.5 to 1."""
    luminance = _luminance(background)
    on_white = 1.05 / (luminance + 0.05)
    on_black = (luminance + 0.05) / 0.05
    return "#ffffff" if on_white >= on_black else "#000000"


def _luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
