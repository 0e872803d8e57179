"""The tables. A change here needs a migration (`make migration`), and a test compares the two."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

HASH = String(64)
# SQLite numbers rows by itself only in a column of exactly this type.
ROW_ID = BigInteger().with_variant(Integer, "sqlite")

# Named, so that migrations can find them on every database.
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
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    # Set by the one callback that takes the login. Unique: a ticket is good for one login, whatever CAS says.
    Column("ticket_hash", HASH, unique=True),
    # CAS has ended its session before ours began.
    Column("ended_at", BigInteger),
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
    # Of the cookie that the sign-in began with: tells which sessions one browser has. Absent: of an older version.
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
    # Counts the keys of an algorithm, so that two workers cannot both add the next one.
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

# One row a name: how often something was changed that workers keep in memory.
versions = Table(
    "versions",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("version", BigInteger, nullable=False),
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
    # Absent: given up; the row stays for whoever looks.
    Column("next_attempt_at", BigInteger, index=True),
    Column("last_error", Text, nullable=False),
)
