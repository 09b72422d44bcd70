"""The tables of people and of what they did: accounts, API tokens, sessions, sign-in limits, the audit log.

No column holds a secret in the clear but `desk_keys`, whose keys only blur which row of `throttles` belongs to whom.
"""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, Table, Text

from pipeline.store.columns import Key, Moment, Note, Serial
from pipeline.store.tables import metadata

users = Table(
    "users",
    metadata,
    Column("id", Key, primary_key=True, comment="random; the actor is user:ID"),
    Column("name", Key, nullable=False, unique=True, comment="what one signs in with; lower case"),
    Column("email", Key),
    Column("roles", Note, nullable=False, comment="sorted, between spaces"),
    Column("password", Key, comment="Argon2id in PHC form; null until one is set"),
    Column("password_set_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("disabled_at", Moment),
)

invitations = Table(
    "invitations",
    metadata,
    Column("digest", Key, primary_key=True, comment="SHA-256 of the secret"),
    Column("user_id", Key, nullable=False, unique=True, comment="one at a time: a new one ends the one before"),
    Column("expires_at", Moment, nullable=False),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Key, primary_key=True, comment="random; what lists and the audit log show"),
    Column("digest", Key, nullable=False, unique=True, comment="SHA-256 of the secret"),
    Column("user_id", Key, nullable=False, index=True),
    Column("label", Note, nullable=False, comment="what it is for"),
    Column("scopes", Note, nullable=False, comment="actions, sorted, between spaces"),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("last_used_at", Moment, comment="to the minute"),
    Column("revoked_at", Moment),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", Key, primary_key=True, comment="SHA-256 of the secret in the cookie"),
    Column("user_id", Key, nullable=False, index=True),
    Column("started_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False, index=True, comment="to the minute"),
)

throttles = Table(
    "throttles",
    metadata,
    Column("bucket", Key, primary_key=True, comment="account:N or address:N, N a keyed hash below 65,536"),
    Column("failures", Integer, nullable=False),
    Column("failed_at", Moment, nullable=False, comment="the last time"),
    Column("blocked_until", Moment, nullable=False),
)

desk_keys = Table(
    "desk_keys",
    metadata,
    Column("name", Key, primary_key=True),
    Column("key", LargeBinary, nullable=False, comment="32 random bytes"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=False, comment="1, 2, 3, … without a gap"),
    Column("at", Key, nullable=False, comment="ISO 8601 in UTC, as the digest covers it"),
    Column("actor", Key, nullable=False, index=True, comment="user:ID or system:WHAT"),
    Column("action", Key, nullable=False),
    Column("about", Key, index=True, comment="what was seen or changed; null once redacted"),
    Column("facts", Text, comment="a JSON object in ASCII, never the text of a message; null once redacted"),
    Column("salt", Key, comment="16 random bytes in hexadecimal; null once redacted"),
    Column("seal", Key, nullable=False, comment="SHA-256 of salt, about and facts; stays when they are redacted"),
    Column("digest", Key, nullable=False, comment="SHA-256 of the row and of the digest before it"),
)
