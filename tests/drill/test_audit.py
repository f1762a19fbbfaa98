"""The audit finds nothing where promises were kept, and each kind of broken promise by its name."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from drill.audit import audit
from drill.ledgers import Evidence

from tests.drill.evidence import (
    ASLEEP,
    DAY,
    MEMBER,
    NOBODY,
    NOW,
    OTHER,
    REFUSED,
    call,
    change,
    digest,
    kept_promises,
    letter,
    request_id,
    reset,
    row,
    sending,
    taken,
)

Doctor = Callable[[Evidence], Evidence]


def kinds(evidence: Evidence) -> list[str]:
    return sorted({one.kind for one in audit(evidence)})


def test_kept_promises_are_no_violations():
    assert audit(kept_promises()) == []


def without(ledger: str, place: int) -> Doctor:
    def doctor(evidence: Evidence) -> Evidence:
        rows = getattr(evidence, ledger)
        return replace(evidence, **{ledger: rows[:place] + rows[place + 1 :]})

    return doctor


def with_one(ledger: str, added: Any) -> Doctor:
    return lambda evidence: replace(evidence, **{ledger: [*getattr(evidence, ledger), added]})


def changed(ledger: str, place: int, **changes: Any) -> Doctor:
    def doctor(evidence: Evidence) -> Evidence:
        rows = list(getattr(evidence, ledger))
        rows[place] = replace(rows[place], **changes)
        return replace(evidence, **{ledger: rows})

    return doctor


def after(*doctors: Doctor) -> Doctor:
    def doctor(evidence: Evidence) -> Evidence:
        for one in doctors:
            evidence = one(evidence)
        return evidence

    return doctor


CASES = {
    # Requests
    "a 200 without a row": (without("requests", 5), ["lost request"]),
    "a 200 for another's row": (changed("requests", 5, email="nobody-2@drill.example"),
        ["unasked request", "wrong request"]),
    "a row that nobody asked for": (with_one("requests", row(50, NOBODY, 9, "no_user")),
        ["unasked request"]),
    "a request left behind": (changed("requests", 4, outcome=None, settled_at=None),
        ["unsettled request"]),
    "an active user who was called unknown": (changed("requests", 0, outcome="no_user"),
        ["not mailed", "unfounded limit"]),
    "a request without its letter": (changed("requests", 2, letter_id=None),
        ["not mailed", "unasked mail"]),
    "a letter that never went out": (
        after(changed("letters", 1, state="deferred", queue_id=None), without("taken", 1),
              without("changes", 3)),
        ["not mailed"]),
    "a letter that the database alone calls accepted": (without("taken", 1),
        ["not mailed", "stale write"]),
    "a refused mailbox with another code": (changed("letters", 2, smtp_code=550), ["not mailed"]),
    "a limit without a mail": (changed("requests", 0, outcome="limited", letter_id=None),
        ["unasked mail", "unfounded limit"]),
    "a limit long after the mail": (changed("requests", 1, settled_at=NOW + 30),
        ["unfounded limit"]),
    "a letter for another user": (changed("letters", 0, user_id=2), ["wrong person"]),
    "a mail for one who is not active": (changed("requests", 4, outcome="mailed"),
        ["wrong outcome"]),
    # Mails
    "a mail of no letter": (with_one("taken", taken("stray", MEMBER, 3)), ["unasked mail"]),
    "a mail without a request": (
        after(with_one("letters", letter("stray", MEMBER, 3)),
              with_one("taken", taken("stray", MEMBER, 3))),
        ["unasked mail"]),
    "a mail to somebody else": (changed("taken", 0, recipient=OTHER, token="token of " + OTHER),
        ["wrong person"]),
    "a duplicate with another link": (
        with_one("taken", taken("first", MEMBER, 61, queue_id="Q-x", token="another")),
        ["duplicates differ", "two live links", "wrong link"]),
    # Links
    "two live links": (
        after(with_one("resets", reset(MEMBER, id="more", token_digest=digest("more"),
                                       created_at=NOW + 50))),
        ["two live links"]),
    "a repeat with another link": (
        after(changed("taken", 1, token="more"),
              with_one("resets", reset(MEMBER, id="more", token_digest=digest("more"),
                                       created_at=NOW + 50))),
        ["two live links"]),
    "a link of no reset": (changed("taken", 2, token="stray"), ["wrong link"]),
    "a link that is over": (changed("resets", 2, expires_at=NOW + 9), ["wrong link"]),
    "a link that somebody else ended": (changed("resets", 2, ended_at=NOW + 99), ["voided link"]),
    # Leases
    "recorded by another than the holder": (changed("changes", 1, actor="worker_2"),
        ["stale write"]),
    "recorded under a lease that was taken over": (
        after(changed("changes", 1, at=NOW + 9, lease_before=2, lease_after=2),
              lambda e: replace(e, changes=[e.changes[0],
                  change("first", 5, "sending", "sending", lease_after=2), *e.changes[1:]])),
        ["stale write"]),
    "recorded what another sent": (changed("taken", 0, worker="worker-2"), ["stale write"]),
    "changed after it was finished": (
        with_one("changes", change("first", 70, "accepted", "deferred")), ["stale write"]),
    "leased after it was finished": (
        with_one("changes", change("first", 70, "accepted", "sending", lease_after=2)),
        ["stale write"]),
    "a lease that jumped": (changed("changes", 0, lease_after=3), ["stale write"]),
    # Callers
    "an answer of 500": (with_one("calls", call(60, NOBODY, 3, status=500)), ["wrong answer"]),
    "an answer of 401": (with_one("calls", call(60, NOBODY, 3, status=401)), ["wrong answer"]),
    "a 503 without Retry-After": (with_one("calls", call(60, NOBODY, 3, status=503)),
        ["wrong answer"]),
    "a 200 without an id": (with_one("calls", call(60, NOBODY, 3, request_id=None)),
        ["wrong answer"]),
    "a late 503": (
        with_one("calls", call(60, NOBODY, 3, status=503, retry_after=2, seconds=2.1)),
        ["late answer"]),
    "a caller left hanging": (
        with_one("calls", call(60, NOBODY, 3, status=None, request_id=None, seconds=15.1)),
        ["no answer"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_broken_promise_is_found_by_its_name(case: str):
    doctor, expected = CASES[case]
    assert kinds(doctor(kept_promises())) == expected


class TestWhatIsNoViolation:
    def test_duplicate_that_is_the_very_same_mail(self):
        twice = with_one("taken", taken("first", MEMBER, 1, queue_id="Q-again"))
        assert kinds(twice(kept_promises())) == []

    def test_late_answer_of_a_program_that_is_not_ready_yet(self):
        late = call(60, NOBODY, 3, status=503, retry_after=2, seconds=4, is_starting=True)
        assert kinds(with_one("calls", late)(kept_promises())) == []

    def test_row_of_a_call_that_was_told_503(self):
        kept = row(7, OTHER, 8, "limited", settled_at=NOW + 9.2)
        assert kinds(with_one("requests", kept)(kept_promises())) == []

    def test_no_row_for_a_call_that_was_cut(self):
        none = after(
            without("requests", 6), without("letters", 3), without("taken", 2),
            lambda e: replace(e, changes=e.changes[:-2]),
        )  # fmt: skip
        assert kinds(none(kept_promises())) == []

    def test_another_link_after_the_first_is_over(self):
        later = after(
            changed("resets", 0, expires_at=NOW + 59),
            with_one("resets", reset(MEMBER, id="more", token_digest=digest("more"),
                                     created_at=NOW + 60, deadline_at=NOW + DAY)),
            changed("taken", 1, token="more"),
        )  # fmt: skip
        assert kinds(later(kept_promises())) == []

    def test_letter_that_was_given_back_and_taken_again(self):
        def given_back(evidence: Evidence) -> Evidence:
            again = [
                change("first", 0.05, "queued", "sending", lease_before=0),
                change("first", 0.06, "sending", "queued"),
                change("first", 0.2, "queued", "sending", lease_after=2, actor="worker_2"),
                change("first", 0.3, "sending", "accepted", queue_id="Q-first", lease_before=2,
                       lease_after=2, actor="worker_2"),
            ]  # fmt: skip
            return replace(evidence, changes=[*again, *evidence.changes[2:]])

        world = changed("taken", 0, worker="worker-2")(given_back(kept_promises()))
        assert kinds(world) == []

    def test_limit_that_a_clock_makes_look_early(self):
        skewed = changed("requests", 1, settled_at=NOW - 25)(kept_promises())
        assert kinds(replace(skewed, skew=30)) == []

    def test_refused_mailbox_and_those_whom_nobody_mails(self):
        assert {REFUSED, ASLEEP} <= kept_promises().users.keys()
        assert not {REFUSED, ASLEEP, NOBODY} & {one.recipient for one in kept_promises().taken}


def test_violation_tells_which_request_and_when():
    (found,) = audit(without("requests", 5)(kept_promises()))
    assert request_id(6) in found.detail
    assert found.at == pytest.approx(NOW + 7, abs=1)


def test_fence_is_watched_on_sqlite_too_where_nobody_knows_who_wrote():
    def without_actors(evidence: Evidence) -> Evidence:
        return replace(evidence, changes=[replace(one, actor="") for one in evidence.changes])

    world = without_actors(kept_promises())
    assert audit(world) == []
    # The lease was taken over at 5, yet the mail that was recorded under it was taken at 0.25.
    taken_over = [
        world.changes[0],
        change("first", 5, "sending", "sending", lease_after=2, actor=""),
        change("first", 6, "sending", "accepted", lease_before=2, lease_after=2, actor="",
               queue_id="Q-first"),
    ]  # fmt: skip
    assert kinds(replace(world, changes=[*taken_over, *world.changes[2:]])) == ["stale write"]
    assert sending("first", 0.2)[0].takes_lease
