"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger().with_variant(TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    _tenants()
    _users()
    _oauth_clients()
    _tokens()
    _requests()
    _resets()
    _letters()
    _notes()


def _id(start: int = 1) -> sa.Column[int]:
    return sa.Column("id", KEY, sa.Identity(start=start), nullable=False)


def _partial_index(
    name: str, table: str, columns: list[str], where: str, *, unique: bool = False
) -> None:
    op.create_index(
        name, table, columns, unique=unique,
        sqlite_where=sa.text(where), postgresql_where=sa.text(where),
    )  # fmt: skip


def _tenants() -> None:
    op.create_table(
        "entities",
        _id(),
        sa.Column("type", sa.SmallInteger, nullable=False),
        sa.Column("entry", sa.String(100), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("parent_id", KEY, nullable=True),
        sa.Column("root_id", KEY, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_entities"),
        sa.UniqueConstraint("entry", name="uq_entities_entry"),
        sa.ForeignKeyConstraint(["parent_id"], ["entities.id"], name="fk_entities_parent_id"),
    )
    op.create_index("ix_entities_root_id", "entities", ["root_id"])
    op.create_index("ix_entities_parent_id", "entities", ["parent_id"])


def _users() -> None:
    op.create_table(
        "users",
        _id(start=1_000_000),
        sa.Column("root_id", KEY, nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("email_key", sa.String(400), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("password_hash", sa.String(512), nullable=True),
        sa.Column("password_changed_at", INSTANT, nullable=True),
        sa.Column("failed_logins", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("locked_until", INSTANT, nullable=True),
        sa.Column("language", sa.String(20), nullable=False, server_default="en"),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("last_access_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.ForeignKeyConstraint(["root_id"], ["entities.id"], name="fk_users_root_id"),
    )
    _partial_index(
        "uq_users_root_id_email_key", "users", ["root_id", "email_key"], "status <> -99",
        unique=True,
    )  # fmt: skip
    op.create_index("ix_users_email_key", "users", ["email_key"])
    op.create_table(
        "password_history",
        _id(),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("password_hash", sa.String(512), nullable=False),
        sa.Column("replaced_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_password_history"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_password_history_user_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_password_history_user_id", "password_history", ["user_id"])
    op.create_table(
        "roles",
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("entity_id", KEY, nullable=False),
        sa.Column("label", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "entity_id", name="pk_roles"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_roles_user_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["entity_id"], ["entities.id"], name="fk_roles_entity_id"),
    )


def _oauth_clients() -> None:
    op.create_table(
        "oauth_clients",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("entity_id", KEY, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(1), nullable=False),
        sa.Column("permissions", sa.JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_oauth_clients"),
        sa.ForeignKeyConstraint(["entity_id"], ["entities.id"], name="fk_oauth_clients_entity_id"),
    )
    op.create_table(
        "oauth_secrets",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("digest", name="pk_oauth_secrets"),
        sa.ForeignKeyConstraint(
            ["client_id"], ["oauth_clients.id"], name="fk_oauth_secrets_client_id"
        ),
    )
    op.create_index("ix_oauth_secrets_client_id", "oauth_secrets", ["client_id"])


def _tokens() -> None:
    op.create_table(
        "api_tokens",
        _id(),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.String(1), nullable=False),
        sa.Column("mode", sa.String(10), nullable=False),
        sa.Column("entity_id", KEY, nullable=False),
        sa.Column("client_id", sa.String(64), nullable=True),
        sa.Column("permissions", sa.JSON, nullable=True),
        sa.Column("networks", sa.JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sa.UniqueConstraint("digest", name="uq_api_tokens_digest"),
        sa.ForeignKeyConstraint(["entity_id"], ["entities.id"], name="fk_api_tokens_entity_id"),
        sa.ForeignKeyConstraint(
            ["client_id"], ["oauth_clients.id"], name="fk_api_tokens_client_id"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_api_tokens_entity_id", "api_tokens", ["entity_id"])
    op.create_index("ix_api_tokens_expires_at", "api_tokens", ["expires_at"])
    op.create_table(
        "sessions",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("entity_id", KEY, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_sessions"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_sessions_user_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["entity_id"], ["entities.id"], name="fk_sessions_entity_id"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("source", sa.String(10), nullable=False),
        sa.Column("token_id", sa.BigInteger, nullable=True),
        sa.Column("user_id", sa.BigInteger, nullable=True),
        sa.Column("entity_id", sa.BigInteger, nullable=False),
        sa.Column("root_id", sa.BigInteger, nullable=False),
        sa.Column("email", sa.String(320), nullable=True),
        sa.Column("client_address", sa.String(45), nullable=True),
        sa.Column("outcome", sa.String(20), nullable=True),
        sa.Column("reason", sa.String(200), nullable=True),
        sa.Column("settled_at", INSTANT, nullable=True),
        sa.Column("attempts", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("mailbox_digest", sa.LargeBinary, nullable=True),
        sa.Column("letter_id", sa.Uuid, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_requests"),
    )
    _partial_index("ix_requests_waiting", "requests", ["root_id", "received_at"], "outcome IS NULL")
    _partial_index(
        "ix_requests_mailbox_digest", "requests", ["mailbox_digest"], "mailbox_digest IS NOT NULL"
    )
    _partial_index("ix_requests_settled_at", "requests", ["settled_at"], "settled_at IS NOT NULL")
    op.create_table(
        "mailboxes",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("hits", sa.JSON, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_mailboxes"),
    )
    op.create_index("ix_mailboxes_updated_at", "mailboxes", ["updated_at"])


def _resets() -> None:
    op.create_table(
        "resets",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("entity_id", KEY, nullable=False),
        sa.Column("token_digest", sa.LargeBinary, nullable=False),
        sa.Column("key_id", sa.LargeBinary, nullable=False),
        sa.Column("lifetime_seconds", sa.Integer, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("deadline_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("end_reason", sa.String(20), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_resets"),
        sa.UniqueConstraint("token_digest", name="uq_resets_token_digest"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_resets_user_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["entity_id"], ["entities.id"], name="fk_resets_entity_id"),
    )
    _partial_index("uq_resets_live_user_id", "resets", ["user_id"], "ended_at IS NULL", unique=True)
    op.create_index("ix_resets_deadline_at", "resets", ["deadline_at"])


def _letters() -> None:
    op.create_table(
        "letters",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("template", sa.String(30), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("root_id", KEY, nullable=False),
        sa.Column("entity_id", KEY, nullable=False),
        sa.Column("reset_id", sa.Uuid, nullable=True),
        sa.Column("recipient", sa.String(320), nullable=False),
        sa.Column("client_address", sa.String(45), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("lease", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("first_attempt_at", INSTANT, nullable=True),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.Column("smtp_code", sa.SmallInteger, nullable=True),
        sa.Column("smtp_text", sa.String(250), nullable=True),
        sa.Column("queue_id", sa.String(200), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_letters"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_letters_user_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["entity_id"], ["entities.id"], name="fk_letters_entity_id"),
        sa.ForeignKeyConstraint(
            ["reset_id"], ["resets.id"], name="fk_letters_reset_id", ondelete="CASCADE"
        ),
    )
    _partial_index("ix_letters_due", "letters", ["root_id", "due_at"], "finished_at IS NULL")
    _partial_index("ix_letters_waiting", "letters", ["created_at"], "finished_at IS NULL")
    op.create_index("ix_letters_reset_id", "letters", ["reset_id"])
    op.create_index("ix_letters_user_id", "letters", ["user_id"])
    _partial_index("ix_letters_finished_at", "letters", ["finished_at"], "finished_at IS NOT NULL")


def _notes() -> None:
    op.create_table(
        "events",
        _id(),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=True),
        sa.Column("entity_id", sa.BigInteger, nullable=True),
        sa.Column("subject_id", sa.String(64), nullable=True),
        sa.Column("client_address", sa.String(45), nullable=True),
        sa.Column("details", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index("ix_events_user_id_at", "events", ["user_id", "at"])
    op.create_index("ix_events_at", "events", ["at"])
    op.create_table(
        "workers",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("mail_state", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_workers"),
    )
