"""What the rows look like that fill a database: one INSERT a table, and their twins in Python.

Each INSERT makes the rows numbered from $1 to $2. How they are run is not known here.
"""

import hashlib
from dataclasses import dataclass

PHC = "$argon2id$v=19$m=19456,t=2,p=1$"
FIRST_USER = 1_000_000
DAYS = 90
"""The rows of what is over are spread over so many days: the retention as it is shipped."""


@dataclass(frozen=True, slots=True)
class Content:
    """How many rows of each kind. Roots share users, requests and letters evenly."""

    roots: int = 1
    users: int = 1
    tokens: int = 0
    waiting_requests: int = 0
    waiting_letters: int = 0
    over: int = 0
    """So many rows of everything that is over: settled, accepted, ended, expired."""


@dataclass(frozen=True, slots=True)
class Fill:
    """So many rows of a table, by an INSERT that makes some of them."""

    table: str
    rows: int
    statement: str


def address(number: int) -> str:
    """Return the address of a user: spread over the whole index, as people's names are."""
    return f"{hashlib.md5(str(number).encode()).hexdigest()[:16]}@mail.example"


def stranger(number: int) -> str:
    """Return the address in a waiting request, which is nobody's."""
    return f"nobody{number}@mail.example"


def token_digest(number: int) -> bytes:
    """Return the digest of an API token."""
    return hashlib.sha256(f"token {number}".encode()).digest()


def root_of(number: int, content: Content) -> int:
    """Return the root organisation of a user."""
    return 1 + number % content.roots


def fills(content: Content) -> list[Fill]:
    """Return what has to be inserted, in this order; tables that stay empty are left out."""
    made = [*_tree(content), *_queues(content), *_over(content)]
    return [one for one in made if one.rows]


def _tree(content: Content) -> list[Fill]:
    root = f"1 + n % {content.roots}"
    email = "left(md5(n::text), 16) || '@mail.example'"
    return [
        Fill("entities", content.roots, _insert(
            "entities", id="n + 1", type="0", entry="'root-' || n", name="'Root ' || n",
            root_id="n + 1", path="'/' || n + 1 || '/'", settings="'{}'", created_at="now()",
        )),
        Fill("users", content.users, _insert(
            "users", id=f"{FIRST_USER} + n", root_id=root, email=email, email_key=email,
            name="'Person ' || n", status="1", password_hash=_HASH, password_changed_at="now()",
            created_at="now()", last_access_at="now()",
        )),
        Fill("roles", content.users, _insert(
            "roles", user_id=f"{FIRST_USER} + n", entity_id=root, label="'admin'",
        )),
        Fill("api_tokens", content.tokens, _insert(
            "api_tokens", digest="sha256(('token ' || n)::bytea)", kind="'o'", mode="'private'",
            entity_id=root, networks="'[]'", created_at="now()",
            expires_at="now() + interval '1 year'",
        )),
    ]  # fmt: skip


def _queues(content: Content) -> list[Fill]:
    root = f"1 + n % {content.roots}"
    waiting, queued = content.waiting_requests, content.waiting_letters
    return [
        Fill("requests", waiting, _insert(
            "requests", id="uuidv7()", received_at=_ago(waiting, "millisecond"), source="'api'",
            token_id=root, entity_id=root, root_id=root, email="'nobody' || n || '@mail.example'",
            client_address="'203.0.113.7'",
        )),
        Fill("letters", queued, _insert(
            "letters", id="uuidv7()", template="'password_changed'", state="'queued'",
            created_at=_ago(queued, "millisecond"), due_at=_ago(queued, "millisecond"),
            **_addressed(content),
        )),
    ]  # fmt: skip


def _over(content: Content) -> list[Fill]:
    rows, user = content.over, f"{FIRST_USER} + n % {content.users}"
    then = f"now() - {DAYS} * interval '1 day' * ({rows} - n) / {max(rows, 1)}"
    root = f"1 + n % {content.roots}"
    return [
        Fill("requests", rows, _insert(
            "requests", id=_id("request"), received_at=then, source="'api'", token_id=root,
            entity_id=root, root_id=root, email="left(md5(n::text), 16) || '@mail.example'",
            client_address="'203.0.113.7'", outcome="'mailed'", reason="'letter queued'",
            settled_at=then, mailbox_digest=_digest("mailbox"), letter_id=_id("letter"),
        )),
        Fill("mailboxes", rows, _insert(
            "mailboxes", digest=_digest("mailbox"), hits="'[1763900000.123456]'", updated_at=then,
        )),
        Fill("resets", rows, _insert(
            "resets", id=_id("reset"), user_id=user, entity_id=root,
            token_digest=_digest("reset"), key_id="'\\x01020304'::bytea", lifetime_seconds="3600",
            created_at=then, deadline_at=f"{then} + interval '1 day'",
            expires_at=f"{then} + interval '1 hour'", ended_at=then, end_reason="'used'",
        )),
        Fill("letters", rows, _insert(
            "letters", id=_id("letter"), template="'reset'", reset_id=_id("reset"),
            state="'accepted'", created_at=then, due_at=then, attempts="1", lease="1",
            first_attempt_at=then, finished_at=then, smtp_code="250",
            smtp_text="'2.0.0 Ok: queued as 4XyZ12abcd'", queue_id="'4XyZ12abcd'",
            **_addressed(content),
        )),
        Fill("events", rows, _insert(
            "events", at=then, kind="'reset.made'", actor="'worker'", user_id=user,
            entity_id=root, subject_id=f"({_id('reset')})::text", details="'{}'",
        )),
        Fill("sessions", rows, _insert(
            "sessions", digest=_digest("session"), user_id=user, entity_id=root, created_at=then,
            expires_at=f"{then} + interval '2 hours'",
        )),
        Fill("password_history", rows, _insert(
            "password_history", user_id=user, password_hash=_HASH, replaced_at=then,
        )),
    ]  # fmt: skip


_HASH = f"'{PHC}' || left(md5(n::text), 22) || '$' || left(md5(n::text) || md5(n::text), 43)"


def _addressed(content: Content) -> dict[str, str]:
    root = f"1 + n % {content.roots}"
    return {
        "user_id": f"{FIRST_USER} + n % {content.users}",
        "root_id": root,
        "entity_id": root,
        "recipient": "left(md5(n::text), 16) || '@mail.example'",
        "client_address": "'203.0.113.7'",
    }


def _insert(table: str, **columns: str) -> str:
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) "
        f"SELECT {', '.join(columns.values())} FROM generate_series($1::bigint, $2::bigint) AS n"
    )


def _ago(count: int, unit: str) -> str:
    return f"now() - interval '1 {unit}' * ({count} - n)"


def _id(kind: str) -> str:
    """A UUID that two tables can share. Like the product's (version 7) it grows with time."""
    return f"(lpad(to_hex(n), 12, '0') || left(md5('{kind}' || n), 20))::uuid"


def _digest(kind: str) -> str:
    return f"sha256(('{kind} ' || n)::bytea)"
