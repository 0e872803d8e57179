"""Store when a pending login was created."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

LIFETIME_SECONDS = 600  # of every login that was saved before this migration


def upgrade() -> None:
    with op.batch_alter_table("pending_logins", schema=None) as batch_op:
        batch_op.add_column(sa.Column("created_at", sa.BigInteger(), nullable=True))
    op.execute(f"UPDATE pending_logins SET created_at = expires_at - {LIFETIME_SECONDS}")
    with op.batch_alter_table("pending_logins", schema=None) as batch_op:
        batch_op.alter_column("created_at", existing_type=sa.BigInteger(), nullable=False)
