"""The tables."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

HASH = String(64)

metadata = MetaData()

pending_logins = Table(
    "pending_logins",
    metadata,
    Column("state_hash", HASH, primary_key=True),
    Column("browser_hash", HASH, nullable=False),
    Column("service", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("renew", Boolean, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    # Set by the one callback that takes the login. Unique: a ticket is good for one login, whatever CAS says.
    Column("ticket_hash", HASH, unique=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_hash", HASH, primary_key=True),
    Column("identity", Text, nullable=False),
    Column("ticket_hash", HASH, nullable=False, index=True),
    Column("auth_time", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("ended_at", BigInteger),
)

codes = Table(
    "codes",
    metadata,
    Column("code_hash", HASH, primary_key=True),
    Column("client_id", String(255), nullable=False),
    Column("session_hash", HASH, ForeignKey(sessions.c.session_hash, ondelete="CASCADE"), nullable=False),
    Column("request", Text, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("redeemed_at", BigInteger),
    Index("ix_codes_session_hash", "session_hash"),
)

access_tokens = Table(
    "access_tokens",
    metadata,
    Column("token_hash", HASH, primary_key=True),
    Column("client_id", String(255), nullable=False),
    Column("session_hash", HASH, ForeignKey(sessions.c.session_hash, ondelete="CASCADE"), nullable=False),
    Column("code_hash", HASH, nullable=False, index=True),
    Column("scope", Text, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("revoked_at", BigInteger),
    Index("ix_access_tokens_session_hash", "session_hash"),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("algorithm", String(16), nullable=False),
    # Unique: the first key is made once, however many workers start together.
    Column("sequence", Integer, nullable=False, unique=True),
    Column("encrypted_private_jwk", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
