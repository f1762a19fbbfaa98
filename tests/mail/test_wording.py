"""Durations, instants and colours as people read them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authreset.mail.wording import describe_duration, describe_instant, readable_ink


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(minutes=60), "60 minutes"),
        (timedelta(minutes=5), "5 minutes"),
        (timedelta(minutes=5, seconds=59), "5 minutes"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(hours=2, minutes=30), "150 minutes"),
        (timedelta(hours=24), "24 hours"),
        (timedelta(days=3), "3 days"),
        (timedelta(seconds=61), "61 seconds"),
    ],
)
def test_durations_use_the_largest_unit_that_is_exact(duration, words):
    assert describe_duration(duration) == words


def test_instants_are_told_in_utc():
    berlin = timezone(timedelta(hours=1))
    assert describe_instant(datetime(2026, 1, 1, 0, 5, tzinfo=berlin)) == (
        "31 December 2025 at 23:05 UTC"
    )
    assert (
        describe_instant(datetime(2026, 11, 7, 9, 3, tzinfo=UTC)) == "7 November 2026 at 09:03 UTC"
    )


def test_an_instant_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        describe_instant(datetime(2026, 1, 1))


def luminance(colour):
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * one for weight, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@given(st.integers(0, 0xFFFFFF))
def test_ink_is_readable_on_every_accent(number):
    accent = f"#{number:06x}"
    light, dark = sorted((luminance(accent), luminance(readable_ink(accent))), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
