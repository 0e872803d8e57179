"""Store which sessions CAS ended, and in which browser each one began."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("pending_logins", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ended_at", sa.BigInteger(), nullable=True))
        batch_op.create_index(batch_op.f("ix_pending_logins_browser_hash"), ["browser_hash"], unique=False)

    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ended_by_cas", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("browser_hash", sa.String(length=64), nullable=True))
        batch_op.create_index(batch_op.f("ix_sessions_browser_hash"), ["browser_hash"], unique=False)
