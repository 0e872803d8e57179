"""Deletion of expired rows."""

from sqlalchemy import ColumnElement, Engine, Table, bindparam, delete, exists, select

from bridge.store.database import NOW
from bridge.store.schema import (
    access_tokens,
    codes,
    failures,
    grants,
    logout_deliveries,
    pending_logins,
    refresh_tokens,
    sessions,
)

# Rows stay this long after they expire, because the clock of another host may be slow.
CLOCK_SKEW_SECONDS = 300
# Redeemed codes and grants without tokens stay this long, so that a replay still finds the grant to revoke.
KEPT_SECONDS = 24 * 3600
# Deliveries given up stay listed for a week.
GIVEN_UP_KEPT_SECONDS = 7 * 24 * 3600
# So many of the first purges are for what callers without an account can add.
SHORT_LIVED = 2
# Rows per transaction, so that other writers wait for milliseconds only.
BATCH = 500


class Purge:
    """Deletion of the rows of one table that meet all conditions, in batches.

    The conditions are checked again at deletion. Rows locked by another worker are skipped.
    """

    def __init__(self, table: Table, *conditions: ColumnElement[bool]) -> None:
        self.table = table
        (key,) = table.primary_key.columns
        self.choose = select(key).where(*conditions).limit(BATCH).with_for_update(skip_locked=True)
        self._delete = delete(table).where(key.in_(bindparam("chosen", expanding=True)), *conditions)

    def run(self, engine: Engine, *, now: int) -> int:
        """Delete the rows and return their number."""
        values = {"now": now - CLOCK_SKEW_SECONDS}
        deleted = 0
        while True:
            with engine.begin() as connection:
                chosen = connection.execute(self.choose, values).scalars().all()
                if chosen:
                    deleted += connection.execute(self._delete, values | {"chosen": chosen}).rowcount
            if len(chosen) < BATCH:
                return deleted


_newer = grants.alias("newer")
# When a session ends, each client with a grant gets a logout token: keep the newest grant of each client.
_NAMES_CLIENT_TO_NOTIFY = exists().where(
    sessions.c.sid == grants.c.sid, sessions.c.ended_at.is_(None), sessions.c.expires_at > NOW
) & ~exists().where(
    _newer.c.sid == grants.c.sid, _newer.c.client_id == grants.c.client_id, _newer.c.created_at > grants.c.created_at
)

# Children first. A rotated refresh token stays until its expiry, so that reuse is detected. A session stays while it
# has active grants, because CAS may still end it by its ticket.
PURGES = (
    Purge(pending_logins, pending_logins.c.expires_at <= NOW),
    # Soon, because a flood adds one row for each address.
    Purge(failures, failures.c.expires_at <= NOW + CLOCK_SKEW_SECONDS),
    Purge(access_tokens, access_tokens.c.expires_at <= NOW),
    Purge(refresh_tokens, refresh_tokens.c.expires_at <= NOW),
    Purge(codes, codes.c.expires_at <= NOW - KEPT_SECONDS),
    Purge(
        grants,
        grants.c.created_at <= NOW - KEPT_SECONDS,
        *(~exists().where(table.c.grant_id == grants.c.grant_id) for table in (access_tokens, refresh_tokens, codes)),
        ~_NAMES_CLIENT_TO_NOTIFY,
    ),
    Purge(
        sessions,
        sessions.c.expires_at <= NOW,
        ~exists().where(grants.c.sid == sessions.c.sid, grants.c.revoked_at.is_(None)),
    ),
    Purge(
        logout_deliveries,
        logout_deliveries.c.next_attempt_at.is_(None),
        logout_deliveries.c.created_at <= NOW - GIVEN_UP_KEPT_SECONDS,
    ),
)
