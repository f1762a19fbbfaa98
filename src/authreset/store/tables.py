"""The declared tables. Migrations must lead to exactly these; statements live in the other modules.

No column holds a token, a password or a rendered letter: tokens are stored as SHA-256 digests,
passwords as Argon2id hashes.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import TypeDecorator, TypeEngine

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware instant: `timestamptz` on PostgreSQL, microseconds since 1970 on SQLite."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type."""
        on_postgres = dialect.name == "postgresql"
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if on_postgres else BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Store an instant."""
        if value is None or dialect.name == "postgresql":
            return value
        return instant_to_micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Load an instant."""
        if value is None:
            return None
        on_postgres = dialect.name == "postgresql"
        instant: datetime = value if on_postgres else EPOCH + timedelta(microseconds=value)
        return instant


def instant_to_micros(value: datetime) -> int:
    """Return whole microseconds since 1970, as SQLite keeps an instant."""
    return (value - EPOCH) // _MICROSECOND


BigKey = BigInteger().with_variant(Integer(), "sqlite")  # SQLite autoincrements INTEGER alone

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

entities = Table(
    "entities",
    metadata,
    Column("id", BigKey, Identity(start=1), primary_key=True),
    Column("type", SmallInteger, nullable=False),
    Column("entry", String(100), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("parent_id", BigKey, ForeignKey("entities.id"), nullable=True),
    Column("root_id", BigKey, nullable=False),
    Column("path", Text, nullable=False),  # "/1/4/9/": every ancestor's id and its own
    Column("settings", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index("ix_entities_root_id", "root_id"),
    Index("ix_entities_parent_id", "parent_id"),
)

users = Table(
    "users",
    metadata,
    Column("id", BigKey, Identity(start=1_000_000), primary_key=True),
    Column("root_id", BigKey, ForeignKey("entities.id"), nullable=False),
    Column("email", String(320), nullable=False),
    Column("email_key", String(400), nullable=False),
    Column("name", String(200), nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("password_hash", String(512), nullable=True),
    Column("password_changed_at", Instant, nullable=True),
    Column("failed_logins", Integer, nullable=False, server_default=text("0")),
    Column("locked_until", Instant, nullable=True),
    Column("language", String(20), nullable=False, server_default="en"),
    Column("created_at", Instant, nullable=False),
    Column("last_access_at", Instant, nullable=True),
    Index(
        "uq_users_root_id_email_key",
        "root_id",
        "email_key",
        unique=True,
        sqlite_where=text("status <> -99"),
        postgresql_where=text("status <> -99"),
    ),
    Index("ix_users_email_key", "email_key"),  # a trace asks in every organisation at once
)

password_history = Table(
    "password_history",
    metadata,
    Column("id", BigKey, Identity(start=1), primary_key=True),
    Column("user_id", BigKey, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("password_hash", String(512), nullable=False),
    Column("replaced_at", Instant, nullable=False),
    Index("ix_password_history_user_id", "user_id"),
)

roles = Table(
    "roles",
    metadata,
    Column("user_id", BigKey, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("entity_id", BigKey, ForeignKey("entities.id"), primary_key=True),
    Column("label", String(100), nullable=False),
)

oauth_clients = Table(
    "oauth_clients",
    metadata,
    Column("id", String(64), primary_key=True),  # the client_id on the wire
    Column("entity_id", BigKey, ForeignKey("entities.id"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("kind", String(1), nullable=False),
    Column("permissions", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant, nullable=True),
)

oauth_secrets = Table(
    "oauth_secrets",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("client_id", String(64), ForeignKey("oauth_clients.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant, nullable=True),
    Index("ix_oauth_secrets_client_id", "client_id"),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", BigKey, Identity(start=1), primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("kind", String(1), nullable=False),
    Column("mode", String(10), nullable=False),
    Column("entity_id", BigKey, ForeignKey("entities.id"), nullable=False),
    Column("client_id", String(64), ForeignKey("oauth_clients.id"), nullable=True),
    Column(
        "permissions", JSON(none_as_null=True), nullable=True
    ),  # None: everything its kind and mode may do
    Column("networks", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("revoked_at", Instant, nullable=True),
    Index("ix_api_tokens_entity_id", "entity_id"),
    Index("ix_api_tokens_expires_at", "expires_at"),
    sqlite_autoincrement=True,  # requests keep the ids of swept tokens: none may be given again
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("user_id", BigKey, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("entity_id", BigKey, ForeignKey("entities.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Index("ix_sessions_user_id", "user_id"),
    Index("ix_sessions_expires_at", "expires_at"),
)

# The intake appends here and nowhere else. No foreign key: an append must not look anything up.
requests = Table(
    "requests",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("received_at", Instant, nullable=False),
    Column("source", String(10), nullable=False),  # "api" or "page"
    Column("token_id", BigInteger, nullable=True),
    Column("user_id", BigInteger, nullable=True),  # the subject named by a session token
    Column("entity_id", BigInteger, nullable=False),
    Column("root_id", BigInteger, nullable=False),
    Column("email", String(320), nullable=True),
    Column("client_address", String(45), nullable=True),
    Column("outcome", String(20), nullable=True),
    Column("reason", String(200), nullable=True),
    Column("settled_at", Instant, nullable=True),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    Column("due_at", Instant, nullable=True),  # set when a fault put the request off
    Column("mailbox_digest", LargeBinary, nullable=True),
    Column("letter_id", Uuid, nullable=True),
    Index(
        "ix_requests_waiting",
        "root_id",
        "received_at",
        sqlite_where=text("outcome IS NULL"),
        postgresql_where=text("outcome IS NULL"),
    ),
    Index(
        "ix_requests_mailbox_digest",
        "mailbox_digest",
        sqlite_where=text("mailbox_digest IS NOT NULL"),
        postgresql_where=text("mailbox_digest IS NOT NULL"),
    ),
    Index(
        "ix_requests_settled_at",
        "settled_at",
        sqlite_where=text("settled_at IS NOT NULL"),
        postgresql_where=text("settled_at IS NOT NULL"),
    ),
)

mailboxes = Table(
    "mailboxes",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("hits", JSON, nullable=False),  # epoch seconds of mailings in the last day, ascending
    Column("updated_at", Instant, nullable=False),
    Index("ix_mailboxes_updated_at", "updated_at"),
)

resets = Table(
    "resets",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", BigKey, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("entity_id", BigKey, ForeignKey("entities.id"), nullable=False),
    Column("token_digest", LargeBinary, nullable=False, unique=True),
    Column("key_id", LargeBinary, nullable=False),
    Column("lifetime_seconds", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("deadline_at", Instant, nullable=False),  # over in any case
    Column("expires_at", Instant, nullable=True),  # None until a mail was accepted
    Column("ended_at", Instant, nullable=True),
    Column("end_reason", String(20), nullable=True),
    Index(
        "uq_resets_live_user_id",
        "user_id",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index("ix_resets_deadline_at", "deadline_at"),
)

letters = Table(
    "letters",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("template", String(30), nullable=False),
    Column("user_id", BigKey, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("root_id", BigKey, nullable=False),
    Column("entity_id", BigKey, ForeignKey("entities.id"), nullable=False),
    Column("reset_id", Uuid, ForeignKey("resets.id", ondelete="CASCADE"), nullable=True),
    Column("recipient", String(320), nullable=False),
    Column("client_address", String(45), nullable=True),
    Column("created_at", Instant, nullable=False),
    Column("state", String(10), nullable=False),
    # When the letter may next be taken: its turn, its next attempt, or the end of its lease.
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("lease", Integer, nullable=False, server_default=text("0")),  # the fence
    Column("first_attempt_at", Instant, nullable=True),
    Column("finished_at", Instant, nullable=True),
    Column("smtp_code", SmallInteger, nullable=True),
    Column("smtp_text", String(250), nullable=True),
    Column("queue_id", String(200), nullable=True),
    Index(
        "ix_letters_due",
        "root_id",
        "due_at",
        sqlite_where=text("finished_at IS NULL"),
        postgresql_where=text("finished_at IS NULL"),
    ),
    Index(
        "ix_letters_waiting",
        "created_at",
        sqlite_where=text("finished_at IS NULL"),
        postgresql_where=text("finished_at IS NULL"),
    ),
    Index("ix_letters_reset_id", "reset_id"),
    Index("ix_letters_user_id", "user_id"),
    Index(
        "ix_letters_finished_at",
        "finished_at",
        sqlite_where=text("finished_at IS NOT NULL"),
        postgresql_where=text("finished_at IS NOT NULL"),
    ),
)

events = Table(
    "events",
    metadata,
    Column("id", BigKey, Identity(start=1), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("user_id", BigInteger, nullable=True),
    Column("entity_id", BigInteger, nullable=True),
    # The reset, letter, token or client it is about.
    Column("subject_id", String(64), nullable=True),
    Column("client_address", String(45), nullable=True),
    Column("details", JSON, nullable=False),
    Index("ix_events_user_id_at", "user_id", "at"),
    Index("ix_events_at", "at"),
)

# Workers write a line here at each turn, so that "is a worker alive?" has an answer.
workers = Table(
    "workers",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("mail_state", String(200), nullable=False),
)
