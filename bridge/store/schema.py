"""Table definitions. Every change needs a migration (`make migration`); a test compares the two."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

HASH = String(64)
# SQLite generates ids only in a column of exactly this type.
ROW_ID = BigInteger().with_variant(Integer, "sqlite")

# Constraint names are the same on every database, so that migrations can refer to them.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

pending_logins = Table(
    "pending_logins",
    metadata,
    Column("state_hash", HASH, primary_key=True),
    Column("browser_hash", HASH, nullable=False, index=True),
    Column("service", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("renew", Boolean, nullable=False),
    Column("gateway", Boolean, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False, server_default=text("0")),  # 0: of a worker of an older version
    Column("expires_at", BigInteger, nullable=False),
    # Bytes, for the limit of all logins together. The default is for workers of the previous version that still run.
    Column("size", Integer, nullable=False, server_default=text("0")),
    # Set when the login is consumed. Unique: a ticket consumes one login, even if CAS validates it twice.
    Column("ticket_hash", HASH, unique=True),
    # Set if CAS ends its session before the session here begins.
    Column("ended_at", BigInteger),
    Index(None, "expires_at", "size"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("sid", String(64), primary_key=True),
    Column("cookie_hash", HASH, nullable=False, unique=True),
    Column("subject", Text, nullable=False, index=True),
    Column("identity", Text, nullable=False),
    Column("auth_time", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("ended_at", BigInteger),
    Column("ended_by_cas", Boolean, nullable=False, server_default=false()),
    # Hash of the login cookie, common to the sessions of one browser. NULL before migration 0002.
    Column("browser_hash", HASH, index=True),
)

session_tickets = Table(
    "session_tickets",
    metadata,
    Column("ticket_hash", HASH, primary_key=True),
    Column("sid", ForeignKey(sessions.c.sid, ondelete="CASCADE"), nullable=False, index=True),
)

grants = Table(
    "grants",
    metadata,
    Column("grant_id", String(64), primary_key=True),
    Column("client_id", String(255), nullable=False, index=True),
    Column("sid", String(64), index=True),
    Column("subject", Text, index=True),
    Column("identity", Text),
    Column("scope", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("auth_time", BigInteger),
    Column("offline", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("revoked_at", BigInteger),
)


def _of_grant() -> Column[str]:
    return Column("grant_id", ForeignKey(grants.c.grant_id, ondelete="CASCADE"), nullable=False, index=True)


codes = Table(
    "codes",
    metadata,
    Column("code_hash", HASH, primary_key=True),
    _of_grant(),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("redeemed_at", BigInteger),
)

access_tokens = Table(
    "access_tokens",
    metadata,
    Column("token_hash", HASH, primary_key=True),
    _of_grant(),
    Column("scope", Text, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("revoked_at", BigInteger),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", HASH, primary_key=True),
    _of_grant(),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("rotated_at", BigInteger),
    Column("successor_hash", HASH),
)

# Names of CAS in lower case, each with the person who used it first. Never purged.
user_names = Table(
    "user_names",
    metadata,
    Column("name", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("spelling", Text, nullable=False),
    # Hashes of what CAS said about the person; NULL if it said nothing.
    Column("email_hash", HASH),
    Column("full_name_hash", HASH),
)

consents = Table(
    "consents",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("granted_at", BigInteger, nullable=False),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("algorithm", String(16), nullable=False),
    # Sequence number per algorithm, so that two workers cannot both add the next key.
    Column("number", Integer, nullable=False),
    Column("encrypted_private_jwk", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("active_from", BigInteger, nullable=False),
    UniqueConstraint("algorithm", "number"),
)

stored_clients = Table(
    "stored_clients",
    metadata,
    Column("client_id", String(255), primary_key=True),
    Column("document", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)

# Change counters of what workers cache in memory.
versions = Table(
    "versions",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("version", BigInteger, nullable=False),
)

# Failed attempts of one caller in one minute.
failures = Table(
    "failures",
    metadata,
    Column("counter", String(160), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

logout_deliveries = Table(
    "logout_deliveries",
    metadata,
    Column("delivery_id", ROW_ID, primary_key=True, autoincrement=True),
    Column("client_id", String(255), nullable=False),
    Column("sid", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("uri", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    # NULL: given up, kept for listing.
    Column("next_attempt_at", BigInteger, index=True),
    Column("last_error", Text, nullable=False),
)
