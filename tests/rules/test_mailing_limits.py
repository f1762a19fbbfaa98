"""How many mails one mailbox gets: sliding windows, and clocks that step back."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authreset.rules.limits import (
    DAY,
    HOUR,
    Limited,
    MailboxPolicy,
    MailLimit,
    MayMail,
    decide_mailing,
)

NOW = 1_790_000_000.0
POLICY = MailboxPolicy()


def ago(*seconds: float) -> tuple[float, ...]:
    return tuple(NOW - each for each in seconds)


@pytest.mark.parametrize(
    ("hits", "decision"),
    [
        ((), MayMail((NOW,))),
        (ago(60), MayMail((*ago(60), NOW))),
        (ago(59.999), Limited(MailLimit.SPACING, ago(59.999))),
        (ago(0), Limited(MailLimit.SPACING, ago(0))),
        (ago(400, 300, 200, 100), MayMail((*ago(400, 300, 200, 100), NOW))),
        (ago(500, 400, 300, 200, 100), Limited(MailLimit.HOUR, ago(500, 400, 300, 200, 100))),
        (ago(HOUR, 400, 300, 200, 100), MayMail((*ago(HOUR, 400, 300, 200, 100), NOW))),
        (
            ago(HOUR - 0.001, 400, 300, 200, 100),
            Limited(MailLimit.HOUR, ago(HOUR - 0.001, 400, 300, 200, 100)),
        ),
        (ago(DAY), MayMail((NOW,))),
        (ago(DAY - 1), MayMail((*ago(DAY - 1), NOW))),
        (
            ago(*range(24_000, 4_000, -1000)),
            Limited(MailLimit.DAY, ago(*range(24_000, 4_000, -1000))),
        ),
        (ago(*range(23_000, 4_000, -1000)), MayMail((*ago(*range(23_000, 4_000, -1000)), NOW))),
        # More than the policy keeps, as after a change of settings.
        (
            ago(*range(32_000, 4_000, -1000)),
            Limited(MailLimit.DAY, ago(*range(24_000, 4_000, -1000))),
        ),
        # The clock stepped back: what lies ahead counts as now, and is stored as such.
        (ago(-5000), Limited(MailLimit.SPACING, ago(0))),
        (ago(100, -5000, -6000), Limited(MailLimit.SPACING, ago(100, 0, 0))),
    ],
)
def test_decide_mailing(hits: tuple[float, ...], decision: MayMail | Limited) -> None:
    assert decide_mailing(hits, NOW, POLICY) == decision


def test_a_mailbox_is_free_again_after_the_clock_stepped_back_a_year() -> None:
    limited = decide_mailing(ago(-365 * DAY), NOW, POLICY)
    assert isinstance(limited, Limited)
    assert isinstance(decide_mailing(limited.hits, NOW + 60, POLICY), MayMail)


@given(
    st.integers(1, 6),
    st.integers(1, 12),
    st.integers(0, 300),
    st.lists(st.floats(0, 4000), max_size=120),
)
def test_no_window_holds_more_mails_than_allowed(
    per_hour: int, per_day: int, spacing: int, gaps: list[float]
) -> None:
    policy = MailboxPolicy(per_hour, per_day, timedelta(seconds=spacing))
    now, hits, mailed = NOW, tuple[float, ...](), []
    for gap in gaps:
        now += gap
        decision = decide_mailing(hits, now, policy)
        hits = decision.hits
        assert len(hits) <= per_day
        assert list(hits) == sorted(hits)
        if isinstance(decision, MayMail):
            mailed.append(now)
    for index, at in enumerate(mailed):
        window = mailed[: index + 1]
        assert sum(at - each < HOUR for each in window) <= per_hour
        assert sum(at - each < DAY for each in window) <= per_day
        assert all(at - each >= spacing for each in mailed[max(index - 1, 0) : index])


@pytest.mark.parametrize(
    ("per_hour", "per_day", "spacing"),
    [(0, 1, timedelta(0)), (1, 0, timedelta(0)), (1, 1, -timedelta(1)), (1, 1, timedelta(2))],
)
def test_a_mailbox_policy_that_makes_no_sense_is_refused(
    per_hour: int, per_day: int, spacing: timedelta
) -> None:
    with pytest.raises(ValueError, match="expected"):
        MailboxPolicy(per_hour, per_day, spacing)
