"""Store the size of pending logins, for a limit of all of them together."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("pending_logins", schema=None) as batch_op:
        batch_op.add_column(sa.Column("size", sa.Integer(), server_default=sa.text("0"), nullable=False))
        batch_op.drop_index(batch_op.f("ix_pending_logins_expires_at"))
        batch_op.create_index(batch_op.f("ix_pending_logins_expires_at_size"), ["expires_at", "size"], unique=False)
