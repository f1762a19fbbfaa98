"""The statements that must stay quick however much there is, by the functions that run them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from bench.scaling.content import FIRST_USER, Content, address, root_of, token_digest
from sqlalchemy import event

from authreset.clock import utc_now
from authreset.rules.outcomes import LetterState, RequestOutcome, ResetEnd, Template
from authreset.store import letters, mailboxes, requests, resets, sessions, users
from authreset.store.api_tokens import find_api_token, list_api_tokens, sweep_access_tokens
from authreset.store.database import Transaction
from authreset.store.entities import find_entity
from authreset.store.events import list_user_events, sweep_events

CONTENT = Content(
    roots=1000, users=100_000, tokens=30_000, waiting_requests=10_000, waiting_letters=10_000,
    over=40_000,
)  # fmt: skip
LIVE_RESETS = 10_000
LARGE = {
    "api_tokens", "events", "letters", "mailboxes", "requests", "resets", "roles", "sessions",
    "users",
}  # fmt: skip
NOW = utc_now() + timedelta(hours=1)
"""After everything that is filled in, however long the tests before these take."""
OLD = NOW - timedelta(days=1)
LEASE = timedelta(minutes=5)

SOME = range(40)
USERS = [FIRST_USER + n for n in SOME]
PEOPLE = [(root_of(n, CONTENT), address(n)) for n in SOME]
IDS = [UUID(int=n) for n in SOME]
DIGESTS = [n.to_bytes(32, "big") for n in SOME]
SETTLEMENTS = [
    requests.Settlement(request_id=one, outcome=RequestOutcome.NO_USER, reason="") for one in IDS
]
LETTER = letters.LeasedLetter(
    id=IDS[0], template=Template.RESET, user_id=FIRST_USER, root_id=1, entity_id=1,
    recipient=address(0), created_at=NOW, lease=1, lease_ends_at=NOW, attempts=0,
    first_attempt_at=None,
)  # fmt: skip
ATTEMPT = letters.Attempt(letter=LETTER, state=LetterState.ACCEPTED, at=NOW, due_at=NOW)
RESET = resets.Reset(
    id=IDS[0], user_id=FIRST_USER, entity_id=1, token_digest=DIGESTS[0], key_id=b"k1",
    lifetime_seconds=60, created_at=NOW, deadline_at=NOW,
)  # fmt: skip

Run = Callable[[Transaction], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Case:
    """A function of the store with values, and the indexes that its statements are to use."""

    name: str
    run: Run
    indexes: set[str]


CASES = [
    # The intake's caches, and a session.
    Case(
        "find_api_token", lambda tx: find_api_token(tx, token_digest(5)), {"uq_api_tokens_digest"}
    ),
    Case("find_entity", lambda tx: find_entity(tx, "root-5"), {"uq_entities_entry"}),
    Case("find_session", lambda tx: sessions.find_session(tx, DIGESTS[0]), {"pk_sessions"}),
    # The worker's batch.
    Case("claim", lambda tx: requests.claim_waiting(tx, NOW, 500), {"ix_requests_waiting"}),
    Case("find_users", lambda tx: users.find_users(tx, USERS), {"pk_users"}),
    Case("mailboxes", lambda tx: mailboxes.lock_mailboxes(tx, DIGESTS, NOW), {"pk_mailboxes"}),
    Case(
        "save_hits",
        lambda tx: mailboxes.save_hits(tx, {DIGESTS[0]: [1.0]}, NOW),
        {"pk_mailboxes"},
    ),
    Case(
        "look-up of many",
        lambda tx: users.find_users_by_email(tx, PEOPLE),
        {"uq_users_root_id_email_key"},
    ),
    Case(
        "look-up of one",
        lambda tx: users.find_users_by_email(tx, PEOPLE[:1]),
        {"uq_users_root_id_email_key"},
    ),
    Case("lock_users", lambda tx: users.lock_users(tx, USERS), {"pk_users"}),
    Case("role_paths", lambda tx: users.load_role_paths(tx, USERS), {"pk_roles"}),
    Case("unended", lambda tx: resets.find_unended_resets(tx, USERS), {"uq_resets_live_user_id"}),
    Case(
        "end_resets",
        lambda tx: resets.end_resets(tx, USERS, ResetEnd.EXPIRED, NOW),
        {"uq_resets_live_user_id"},
    ),
    Case(
        "waiting_letters", lambda tx: letters.find_waiting_letters(tx, IDS), {"ix_letters_reset_id"}
    ),
    Case("settle", lambda tx: requests.settle(tx, SETTLEMENTS, NOW), {"pk_requests"}),
    Case("put_off", lambda tx: requests.put_off(tx, IDS, "Error", NOW), {"pk_requests"}),
    # The mailer.
    Case(
        "lease",
        lambda tx: letters.lease_due(tx, NOW, lease=LEASE, limit=100),
        {"ix_letters_due", "pk_letters"},
    ),
    Case("next_due_at", letters.next_due_at, {"ix_letters_due"}),
    Case("find_resets", lambda tx: resets.find_resets(tx, IDS), {"pk_resets"}),
    Case("record", lambda tx: letters.record_attempts(tx, [ATTEMPT]), {"pk_letters"}),
    Case("release", lambda tx: letters.release(tx, [LETTER], NOW), {"pk_letters"}),
    Case("lifetimes", lambda tx: resets.start_lifetimes(tx, [(RESET, NOW)]), {"pk_resets"}),
    # By whichever partial index: by time and tenant, or all that wait where those are few.
    Case("hasten", lambda tx: letters.hasten_unreachable(tx, NOW), set()),
    # The way back.
    Case(
        "inspect_reset",
        lambda tx: resets.find_reset_by_digest(tx, DIGESTS[0]),
        {"uq_resets_token_digest"},
    ),
    Case(
        "claim_reset",
        lambda tx: resets.claim_reset(tx, DIGESTS[0], NOW),
        {"uq_resets_token_digest"},
    ),
    Case(
        "end sessions",
        lambda tx: sessions.delete_user_sessions(tx, FIRST_USER),
        {"ix_sessions_user_id"},
    ),
    # Operators.
    Case("find_request", lambda tx: requests.find_request(tx, IDS[0]), {"pk_requests"}),
    Case(
        "trace",
        lambda tx: requests.list_requests_for_mailbox(tx, DIGESTS[:2], "nobody5@mail.example"),
        {"ix_requests_mailbox_digest", "ix_requests_waiting"},
    ),
    Case(
        "users of an address",
        lambda tx: users.find_all_by_email(tx, address(5)),
        {"ix_users_email_key"},
    ),
    Case("find_letters", lambda tx: letters.find_letters(tx, IDS), {"pk_letters"}),
    Case("user_letters", lambda tx: letters.list_user_letters(tx, 1), {"ix_letters_user_id"}),
    Case("user_events", lambda tx: list_user_events(tx, FIRST_USER), {"ix_events_user_id_at"}),
    Case("tokens of a node", lambda tx: list_api_tokens(tx, 5), {"ix_api_tokens_entity_id"}),
    Case("count requests", lambda tx: requests.count_waiting(tx, 1000), {"ix_requests_waiting"}),
    Case("count letters", lambda tx: letters.count_by_state(tx, 1000), {"ix_letters_due"}),
    Case("oldest letter", letters.oldest_waiting_at, {"ix_letters_waiting"}),
    # Sweeps.
    Case(
        "sweep requests",
        lambda tx: requests.sweep_requests(tx, OLD, 20),
        {"ix_requests_settled_at", "pk_requests"},
    ),
    Case(
        "sweep letters",
        lambda tx: letters.sweep_letters(tx, OLD, 20),
        {"ix_letters_finished_at", "pk_letters"},
    ),
    Case(
        "sweep resets",
        lambda tx: resets.sweep_resets(tx, OLD, 20),
        {"ix_resets_deadline_at", "ix_letters_reset_id", "pk_resets"},
    ),
    Case("sweep events", lambda tx: sweep_events(tx, OLD, 20), {"ix_events_at", "pk_events"}),
    Case(
        "sweep mailboxes",
        lambda tx: mailboxes.sweep_mailboxes(tx, OLD, 20),
        {"ix_mailboxes_updated_at", "pk_mailboxes"},
    ),
    Case(
        "sweep sessions",
        lambda tx: sessions.sweep_sessions(tx, OLD, 20),
        {"ix_sessions_expires_at", "pk_sessions"},
    ),
    Case(
        "sweep tokens",
        lambda tx: sweep_access_tokens(tx, OLD, 20),
        {"ix_api_tokens_expires_at", "pk_api_tokens"},
    ),
]


async def statements(tx: Transaction, run: Run) -> dict[str, Any]:
    """Return each statement that a function of the store executes, with its (first) parameters."""
    seen: dict[str, Any] = {}

    def note(_c: object, _cursor: object, sql: str, given: Any, _x: object, many: bool) -> None:
        seen[sql] = tuple(given[0] if many else given)

    connection = tx.sync_connection
    assert connection is not None
    event.listen(connection, "before_cursor_execute", note)
    await run(tx)
    event.remove(connection, "before_cursor_execute", note)
    assert seen
    return seen
