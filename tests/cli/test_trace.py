"""The story of a request: each state of its rows, told in order and in plain words."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from authreset.rules.outcomes import LetterState, RequestOutcome, ResetEnd, Template
from authreset.rules.tenancy import EntityRef
from authreset.store.database import Transaction
from authreset.store.entities import find_entity
from authreset.store.letters import NewLetter, add_letters
from authreset.store.requests import Settlement, put_off, settle
from authreset.store.resets import Reset, add_resets, end_resets
from authreset.store.tables import letters, resets
from authreset.store.users import find_all_by_email
from authreset.store.workers import WorkerSign, sign_worker
from tests.cli.program import Program
from tests.support.databases import add_requests

KEY = "qUfC4T6G7jSZ0xVY3i2nN5mRkPwB8hLdE9aXoJvKtys"
NOW = datetime.now(UTC).replace(microsecond=0)
ASKED, SETTLED = NOW - timedelta(minutes=10), NOW - timedelta(minutes=9)
ADA = "ada@example.com"


class Story:
    """Puts rows in place through the store, and traces them with the program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.id = uuid4()

    async def root(self, tx: Transaction) -> EntityRef:
        root = await find_entity(tx, "pilgrim-planner")
        assert root is not None
        return root

    def ask(self, **values: Any) -> "Story":
        async def put(tx: Transaction) -> None:
            await add_requests(tx, [self.id], await self.root(tx), **{
                "email": ADA, "received_at": ASKED, "token_id": 1,
                "client_address": "203.0.113.9", **values,
            })  # fmt: skip

        self.program.look(put)
        return self

    def settle(self, outcome: RequestOutcome, reason: str = "", **values: Any) -> "Story":
        async def put(tx: Transaction) -> None:
            settlement = Settlement(request_id=self.id, outcome=outcome, reason=reason, **values)
            await settle(tx, [settlement], SETTLED)

        self.program.look(put)
        return self

    def mail(self, state: LetterState, *, end: ResetEnd | None = None, **values: Any) -> "Story":
        reset, letter = uuid4(), uuid4()
        self.program.look(lambda tx: self._put_letter(tx, reset, letter, state, end, values))
        return self.settle(RequestOutcome.MAILED, "letter queued", letter_id=letter)

    async def _put_letter(
        self, tx: Transaction, reset: UUID, letter: UUID, state: LetterState,
        end: ResetEnd | None, values: dict[str, Any],
    ) -> None:  # fmt: skip
        root, (user,) = await self.root(tx), await find_all_by_email(tx, ADA)
        made = Reset(
            id=reset, user_id=user.id, entity_id=root.id, token_digest=reset.bytes, key_id=b"k1",
            lifetime_seconds=3600, created_at=SETTLED, deadline_at=SETTLED + timedelta(days=1),
        )  # fmt: skip
        if state is LetterState.ACCEPTED:
            made = replace(made, expires_at=NOW + timedelta(minutes=50))
        await add_resets(tx, [made])
        await add_letters(tx, [NewLetter(
            id=letter, template=Template.RESET, user_id=user.id, root_id=root.id,
            entity_id=root.id, recipient=ADA, created_at=SETTLED, reset_id=reset,
        )])  # fmt: skip
        await tx.execute(
            update(letters).where(letters.c.id == letter).values(state=state.value, **values)
        )
        if end is not None:
            await end_resets(tx, [user.id], end, NOW)

    def trace(self, subject: str = "") -> dict[str, Any]:
        return self.program.do("request", "trace", subject or str(self.id))

    def steps(self, subject: str = "") -> dict[str, dict[str, Any]]:
        (request,) = self.trace(subject)["requests"]
        return {step["step"]: step for step in request["steps"]}


@pytest.fixture
def story(demo: Program) -> Story:
    return Story(demo)


def alive(program: Program, at: datetime) -> None:
    async def put(tx: Transaction) -> None:
        await sign_worker(tx, WorkerSign("worker", at, at, "reachable"))

    program.look(put)


def test_a_request_tells_who_asked_with_what_and_from_where(story: Story) -> None:
    text = story.ask().steps()["received"]["text"]
    assert "203.0.113.9" in text
    assert "API token 1 (private organization token of pilgrim-planner)" in text
    assert "for entry pilgrim-planner, about ada@example.com" in text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"source": "page", "token_id": None}, "through the hosted page"),
        ({"token_id": None, "user_id": 1000000}, "with the session of user 1000000"),
        ({"token_id": 77}, "with API token 77, which is gone"),
        ({"email": None}, "naming no address"),
    ],
)
def test_it_tells_the_way_it_came(story: Story, values: dict[str, Any], words: str) -> None:
    assert words in story.ask(**values).steps()["received"]["text"]


def test_a_waiting_request_names_the_missing_worker(story: Story) -> None:
    step = story.ask().steps()["waiting"]
    assert "none gave a sign of life" in step["text"]
    assert "authreset worker" in step["todo"]
    alive(story.program, datetime.now(UTC))
    assert "one is alive" in story.steps()["waiting"]["text"]


def test_a_request_that_was_put_off_tells_the_next_try(story: Story) -> None:
    due_at = NOW + timedelta(minutes=1)

    async def put(tx: Transaction) -> None:
        await put_off(tx, [story.id], "KeyError", due_at)

    story.ask().program.look(put)
    text = story.steps()["put_off"]["text"]
    assert "KeyError" in text
    assert due_at.isoformat().replace("+00:00", "Z") in text


@pytest.mark.parametrize(
    ("outcome", "reason", "words", "todo"),
    [
        (RequestOutcome.NO_SUBJECT, "x", "names nobody", "Send the e-mail address"),
        (RequestOutcome.NO_USER, "x", "No user of this organization", "spelling"),
        (RequestOutcome.INACTIVE, "status 0", "(status 0)", "set-status"),
        (RequestOutcome.OUT_OF_SCOPE, "x", "no role at, above or below", "role"),
        (RequestOutcome.LIMITED, "mailbox limit: spacing", "too short a time ago", "LIMITS"),
        (RequestOutcome.LIMITED, "mailbox limit: hour", "in an hour", "LIMITS"),
        (RequestOutcome.LIMITED, "mailbox limit: day", "in a day", "LIMITS"),
    ],
)
def test_each_outcome_without_a_mail_says_why_and_what_to_do(
    story: Story, outcome: RequestOutcome, reason: str, words: str, todo: str
) -> None:
    step = story.ask().settle(outcome, reason).steps()[outcome]
    assert words in step["text"]
    assert todo in step["todo"]
    assert datetime.fromisoformat(step["at"]) == SETTLED


def test_a_limited_request_tells_the_limits_that_hold(story: Story) -> None:
    story.ask().settle(RequestOutcome.LIMITED, "mailbox limit: hour")
    (request,) = story.program.do("request", "trace", str(story.id), MAILBOX_LIMITS="2,9,30")[
        "requests"
    ]
    assert "2 an hour, 9 a day, 30 s between" in request["steps"][-1]["text"]


def test_a_user_of_another_organization_is_hinted_at(story: Story) -> None:
    do = story.program.do
    do("organization", "add", "--entry", "meridian", "--name", "Meridian")
    do("user", "add", "--entry", "meridian", "--email", "zoe@example.com", "--name", "Zoe")
    story.ask(email="zoe@example.com").settle(RequestOutcome.NO_USER, "x")
    assert "belong to other organizations" in story.steps()["no_user"]["text"]


def test_an_accepted_letter_tells_the_reply_and_the_queue_id(story: Story) -> None:
    story.ask().mail(
        LetterState.ACCEPTED, smtp_code=250, smtp_text="2.0.0 Ok", queue_id="4F1x2y", attempts=2,
        first_attempt_at=SETTLED, finished_at=NOW,
    )  # fmt: skip
    steps = story.steps()
    assert list(steps) == [
        "received", "mailed", "reset_made", "letter_queued", "first_attempt", "accepted",
        "link_live",
    ]  # fmt: skip
    assert "SMTP 250 2.0.0 Ok, queue id 4F1x2y" in steps["accepted"]["text"]
    assert "after 2 attempt(s)" in steps["accepted"]["text"]
    assert "The link is live until" in steps["link_live"]["text"]


def test_a_letter_of_the_local_mailbox_says_where_to_read_it(story: Story) -> None:
    story.ask().mail(
        LetterState.ACCEPTED, smtp_code=250, smtp_text="local mailbox", attempts=1,
        first_attempt_at=NOW, finished_at=NOW,
    )  # fmt: skip
    assert "/mailbox" in story.steps()["accepted"]["todo"]


def test_a_deferred_letter_tells_the_fault_and_the_next_attempt(story: Story) -> None:
    due_at = NOW + timedelta(minutes=3)
    story.ask().mail(
        LetterState.DEFERRED, smtp_code=451, smtp_text="4.7.1 Greylisted", attempts=3,
        first_attempt_at=SETTLED, due_at=due_at,
    )  # fmt: skip
    text = story.steps()["deferred"]["text"]
    assert "SMTP 451 4.7.1 Greylisted" in text
    assert f"Next attempt at {due_at.isoformat().replace('+00:00', 'Z')}" in text


@pytest.mark.parametrize(
    ("state", "words"),
    [(LetterState.QUEUED, "waits for a worker"), (LetterState.SENDING, "another takes over at")],
)
def test_a_letter_on_its_way_says_so(story: Story, state: LetterState, words: str) -> None:
    steps = story.ask().mail(state).steps()
    assert words in steps[state]["text"]
    assert "starts when the mail server takes the letter" in steps["link_live"]["text"]


def test_a_failed_letter_tells_the_last_word_of_the_server(story: Story) -> None:
    story.ask().mail(
        LetterState.FAILED, end=ResetEnd.UNDELIVERED, smtp_code=550, smtp_text="5.1.1 No such user",
        attempts=1, first_attempt_at=NOW, finished_at=NOW,
    )  # fmt: skip
    steps = story.steps()
    assert "Given up after 1 attempt(s): SMTP 550 5.1.1 No such user." in steps["failed"]["text"]
    assert "could not be delivered" in steps["link_undelivered"]["text"]


@pytest.mark.parametrize("end", ResetEnd)
def test_the_end_of_the_link_is_told(story: Story, end: ResetEnd) -> None:
    story.ask().mail(LetterState.QUEUED, end=end)
    step = story.steps()[f"link_{end}"]
    assert step["text"] != "The link is over."
    assert datetime.fromisoformat(step["at"]) == NOW


def test_a_link_whose_time_ran_out_is_told_before_it_is_swept(story: Story) -> None:
    async def age(tx: Transaction) -> None:
        await tx.execute(update(resets).values(expires_at=NOW - timedelta(minutes=1)))

    story.ask().mail(LetterState.ACCEPTED, smtp_code=250, finished_at=NOW).program.look(age)
    assert "ran out unused" in story.steps()["link_expired"]["text"]


def by_key(program: Program, key: str) -> Callable[..., dict[str, Any]]:
    return lambda *arguments: program.do(*arguments, SECRET_KEY=key)


def test_a_mailbox_is_traced_whatever_key_its_digest_was_made_with(story: Story) -> None:
    from authreset.config import Settings
    from authreset.keys import load_keyring
    from authreset.rules.addresses import mailbox_key

    old = load_keyring(Settings(secret_key=KEY), lambda count: bytes(count))
    digest = old.mailbox_digest(mailbox_key(ADA))
    story.ask().settle(RequestOutcome.LIMITED, "mailbox limit: day", mailbox_digest=digest)
    new = story.program.do("keys", "new")["key"]
    found = by_key(story.program, f"{new},{KEY}")("request", "trace", "Ada+tag@Example.com")
    assert [request["id"] for request in found["requests"]] == [str(story.id)]
    assert by_key(story.program, new)("request", "trace", ADA)["requests"] == []


def test_a_mailbox_shows_the_newest_first_and_the_users(story: Story) -> None:
    story.ask()
    later = Story(story.program).ask(received_at=NOW)
    found = story.trace("ADA@example.com")
    assert [request["id"] for request in found["requests"]] == [str(later.id), str(story.id)]
    assert [user["organization"] for user in found["users"]] == ["pilgrim-planner"]


def test_nothing_about_a_mailbox_is_an_answer(story: Story) -> None:
    found = story.trace("nobody@example.com")
    assert (found["requests"], found["users"]) == ([], [])
    assert "90 days" in found["summary"]
    assert "No user has this address" in story.program("request", "trace", "n@example.com").out


def test_an_unknown_request_and_what_is_neither_are_refused(story: Story) -> None:
    story.program.refuse("request", "trace", str(uuid4()))
    story.program.refuse("request", "trace", "neither")


def test_people_read_the_same_story(story: Story) -> None:
    story.ask().settle(RequestOutcome.NO_USER, "x")
    text = story.program("request", "trace", str(story.id)).out
    for step in story.steps().values():
        assert step["text"] in text
        assert not step["todo"] or step["todo"] in text
