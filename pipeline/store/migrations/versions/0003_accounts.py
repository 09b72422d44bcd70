"""Accounts, API tokens, sessions, sign-in limits and the audit log.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

from pipeline.store.columns import Key, Moment, Note, Serial

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "users",
        sa.Column("id", Key(), nullable=False, comment="random; the actor is user:ID"),
        sa.Column("name", Key(), nullable=False, comment="what one signs in with; lower case"),
        sa.Column("email", Key(), nullable=True),
        sa.Column("roles", Note(), nullable=False, comment="sorted, between spaces"),
        sa.Column("password", Key(), nullable=True, comment="Argon2id in PHC form; null until one is set"),
        sa.Column("password_set_at", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("disabled_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "invitations",
        sa.Column("digest", Key(), nullable=False, comment="SHA-256 of the secret"),
        sa.Column("user_id", Key(), nullable=False, comment="one at a time: a new one ends the one before"),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_invitations")),
        sa.UniqueConstraint("user_id", name=op.f("uq_invitations_user_id")),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", Key(), nullable=False, comment="random; what lists and the audit log show"),
        sa.Column("digest", Key(), nullable=False, comment="SHA-256 of the secret"),
        sa.Column("user_id", Key(), nullable=False),
        sa.Column("label", Note(), nullable=False, comment="what it is for"),
        sa.Column("scopes", Note(), nullable=False, comment="actions, sorted, between spaces"),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("last_used_at", Moment(), nullable=True, comment="to the minute"),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_tokens_digest")),
    )
    op.create_index(op.f("ix_api_tokens_user_id"), "api_tokens", ["user_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("digest", Key(), nullable=False, comment="SHA-256 of the secret in the cookie"),
        sa.Column("user_id", Key(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False, comment="to the minute"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)
    op.create_index(op.f("ix_sessions_seen_at"), "sessions", ["seen_at"], unique=False)
    op.create_table(
        "throttles",
        sa.Column("bucket", Key(), nullable=False, comment="account:N or address:N, N a keyed hash below 65,536"),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", Moment(), nullable=False, comment="the last time"),
        sa.Column("blocked_until", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", name=op.f("pk_throttles")),
    )
    op.create_table(
        "desk_keys",
        sa.Column("name", Key(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False, comment="32 random bytes"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_desk_keys")),
    )
    op.create_table(
        "audit",
        sa.Column("seq", Serial, autoincrement=False, nullable=False, comment="1, 2, 3, … without a gap"),
        sa.Column("at", Key(), nullable=False, comment="ISO 8601 in UTC, as the digest covers it"),
        sa.Column("actor", Key(), nullable=False, comment="user:ID or system:WHAT"),
        sa.Column("action", Key(), nullable=False),
        sa.Column("about", Key(), nullable=True, comment="what was seen or changed; null once redacted"),
        sa.Column(
            "facts",
            sa.Text(),
            nullable=True,
            comment="a JSON object in ASCII, never the text of a message; null once redacted",
        ),
        sa.Column("salt", Key(), nullable=True, comment="16 random bytes in hexadecimal; null once redacted"),
        sa.Column(
            "seal",
            Key(),
            nullable=False,
            comment="SHA-256 of salt, about and facts; stays when they are redacted",
        ),
        sa.Column("digest", Key(), nullable=False, comment="SHA-256 of the row and of the digest before it"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_about"), "audit", ["about"], unique=False)
    op.create_index(op.f("ix_audit_actor"), "audit", ["actor"], unique=False)
