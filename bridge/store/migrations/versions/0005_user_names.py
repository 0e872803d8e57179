"""Store the names of CAS; the stored subjects with capital letters stay what they are."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    names = op.create_table(
        "user_names",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("spelling", sa.Text(), nullable=False),
        sa.Column("email_hash", sa.String(length=64), nullable=True),
        sa.Column("full_name_hash", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_user_names")),
    )
    known = sa.text(
        "SELECT subject FROM sessions UNION SELECT subject FROM grants WHERE subject IS NOT NULL "
        "UNION SELECT subject FROM consents"
    )
    subjects = sorted(op.get_bind().execute(known).scalars())
    # Of several spellings, the one in lower case, which sorts last, is the account that stays.
    rows = {subject.lower(): {"name": subject.lower(), "subject": subject, "spelling": subject} for subject in subjects}
    if rows:
        op.bulk_insert(names, list(rows.values()))
