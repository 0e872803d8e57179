"""Alembic environment of `python -m bridge.store.migrations`; `migrate` runs without it."""

from alembic import context

from bridge.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter most columns, so Alembic copies the table
    transaction_per_migration=False,
)
context.run_migrations()
