"""Create the initial tables."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

HASH, ID, CLIENT_ID = sa.String(length=64), sa.String(length=64), sa.String(length=255)
TEXT, TIME, FLAG = sa.Text(), sa.BigInteger(), sa.Boolean()
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    create_tables()
    create_tables_of_tokens()
    op.execute("INSERT INTO versions (name, version) VALUES ('clients', 1)")


def create_tables() -> None:
    _create("consents", {"client_id": CLIENT_ID, "subject": TEXT, "scope": TEXT, "granted_at": TIME}, keys=2)
    _create(
        "grants",
        {"grant_id": ID, "client_id": CLIENT_ID, "sid?": ID, "subject?": TEXT, "identity?": TEXT, "scope": TEXT}
        | {"request": TEXT, "auth_time?": TIME, "offline": FLAG, "created_at": TIME, "revoked_at?": TIME},
        indexes=("client_id", "created_at", "sid", "subject"),
    )
    _create(
        "logout_deliveries",
        {"delivery_id": ROW_ID, "client_id": CLIENT_ID, "sid": ID, "subject": TEXT, "uri": TEXT, "created_at": TIME}
        | {"attempts": sa.Integer(), "next_attempt_at?": TIME, "last_error": TEXT},
        indexes=("next_attempt_at",),
    )
    _create(
        "pending_logins",
        {"state_hash": HASH, "browser_hash": HASH, "service": TEXT, "request": TEXT, "renew": FLAG, "gateway": FLAG}
        | {"attempt": sa.Integer(), "expires_at": TIME, "ticket_hash?": HASH},
        sa.UniqueConstraint("ticket_hash", name=op.f("uq_pending_logins_ticket_hash")),
        indexes=("expires_at",),
    )
    _create(
        "sessions",
        {"sid": ID, "cookie_hash": HASH, "subject": TEXT, "identity": TEXT, "auth_time?": TIME}
        | {"created_at": TIME, "expires_at": TIME, "ended_at?": TIME},
        sa.UniqueConstraint("cookie_hash", name=op.f("uq_sessions_cookie_hash")),
        indexes=("expires_at", "subject"),
    )
    _create(
        "signing_keys",
        {"kid": ID, "algorithm": sa.String(length=16), "number": sa.Integer(), "encrypted_private_jwk": TEXT}
        | {"created_at": TIME, "active_from": TIME},
        sa.UniqueConstraint("algorithm", "number", name=op.f("uq_signing_keys_algorithm_number")),
    )
    _create("stored_clients", {"client_id": CLIENT_ID, "document": TEXT, "disabled": FLAG, "changed_at": TIME})
    _create("versions", {"name": sa.String(length=32), "version": sa.BigInteger()})


def create_tables_of_tokens() -> None:
    issued = {"issued_at": TIME, "expires_at": TIME}
    tokens = {
        "access_tokens": {"token_hash": HASH, "grant_id": ID, "scope": TEXT} | issued | {"revoked_at?": TIME},
        "codes": {"code_hash": HASH, "grant_id": ID} | issued | {"redeemed_at?": TIME},
        "refresh_tokens": {"token_hash": HASH, "grant_id": ID}
        | issued
        | {"rotated_at?": TIME, "successor_hash?": HASH},
    }
    for table, columns in tokens.items():
        _create(table, columns, _reference(table, "grants.grant_id"), indexes=("expires_at", "grant_id"))
    reference = _reference("session_tickets", "sessions.sid")
    _create("session_tickets", {"ticket_hash": HASH, "sid": ID}, reference, indexes=("sid",))


def _create(
    table: str, columns: dict[str, Any], *constraints: sa.Constraint, keys: int = 1, indexes: Sequence[str] = ()
) -> None:
    """Create a table whose first columns are its primary key; a name with "?" is nullable."""
    op.create_table(
        table,
        *(sa.Column(name.rstrip("?"), kind, nullable=name.endswith("?")) for name, kind in columns.items()),
        *constraints,
        sa.PrimaryKeyConstraint(*list(columns)[:keys], name=op.f(f"pk_{table}")),
    )
    for column in indexes:
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


def _reference(table: str, target: str) -> sa.ForeignKeyConstraint:
    column = target.rpartition(".")[2]
    return sa.ForeignKeyConstraint([column], [target], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE")
