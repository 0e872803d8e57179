"""Deleting what nobody can use any more, so that no table grows for ever."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, ColumnElement, Engine, Table, bindparam, delete, exists, select

from bridge.store.database import NOW
from bridge.store.schema import (
    access_tokens,
    codes,
    grants,
    logout_deliveries,
    pending_logins,
    refresh_tokens,
    sessions,
)

# Everything stays this much longer than it is good for: the clock of another host may be behind ours.
CLOCKS_APART_SECONDS = 300
# A spent code, and a grant without tokens, are remembered this long: a replay then still finds what to revoke.
KEPT_SECONDS = 24 * 3600
# A logout token that was given up stays visible for a week.
GIVEN_UP_KEPT_SECONDS = 7 * 24 * 3600
# Rows in one transaction: whoever wants to write meanwhile waits for milliseconds.
BATCH = 500


class Purge:
    """Deletes the rows of one table that meet all conditions, a few at a time.

    The conditions are asked again when the rows are deleted; rows that another worker is deleting are left to it.
    """

    def __init__(self, table: Table, *conditions: ColumnElement[bool]) -> None:
        self.table = table
        (key,) = table.primary_key.columns
        self.choose = select(key).where(*conditions).limit(BATCH).with_for_update(skip_locked=True)
        self._delete = delete(table).where(key.in_(bindparam("chosen", expanding=True)), *conditions)

    def run(self, engine: Engine, *, now: int) -> int:
        """How many rows there were."""
        values = {"now": now - CLOCKS_APART_SECONDS}
        deleted = 0
        while True:
            with engine.begin() as connection:
                chosen = connection.execute(self.choose, values).scalars().all()
                if chosen:
                    deleted += connection.execute(self._delete, values | {"chosen": chosen}).rowcount
            if len(chosen) < BATCH:
                return deleted


def _without(children: Sequence[Column[str]], parent: Column[str]) -> list[ColumnElement[bool]]:
    return [~exists().where(child == parent) for child in children]


_newer = grants.alias("newer")
# When a session ends, each client that held something under it is told: one grant of each has to tell which.
_TELLS_WHOM_TO_TELL = exists().where(
    sessions.c.sid == grants.c.sid, sessions.c.ended_at.is_(None), sessions.c.expires_at > NOW
) & ~exists().where(
    _newer.c.sid == grants.c.sid, _newer.c.client_id == grants.c.client_id, _newer.c.created_at > grants.c.created_at
)

# Children first. A rotated refresh token stays until it would have expired: its reuse has to be seen. A session
# stays, ended or not, while anything given out under it lives: CAS may still end it by its ticket.
PURGES = (
    Purge(pending_logins, pending_logins.c.expires_at <= NOW),
    Purge(access_tokens, access_tokens.c.expires_at <= NOW),
    Purge(refresh_tokens, refresh_tokens.c.expires_at <= NOW),
    Purge(codes, codes.c.expires_at <= NOW - KEPT_SECONDS),
    Purge(
        grants,
        grants.c.created_at <= NOW - KEPT_SECONDS,
        *_without([access_tokens.c.grant_id, refresh_tokens.c.grant_id, codes.c.grant_id], grants.c.grant_id),
        ~_TELLS_WHOM_TO_TELL,
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
