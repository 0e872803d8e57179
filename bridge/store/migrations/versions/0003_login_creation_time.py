"""Store when a pending login was created."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("pending_logins", schema=None) as batch_op:
        batch_op.add_column(sa.Column("created_at", sa.BigInteger(), nullable=True))
    op.execute("UPDATE pending_logins SET created_at = expires_at - 600")  # the lifetime until then
    with op.batch_alter_table("pending_logins", schema=None) as batch_op:
        # The default is for workers of the previous version that still run: they do not know the column.
        batch_op.alter_column("created_at", existing_type=sa.BigInteger(), nullable=False, server_default=sa.text("0"))
