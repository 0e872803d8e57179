"""Browsers signed in at the bridge, and the tickets by which CAS ends that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Update, bindparam, func, insert, select, union_all, update

from bridge.identity import Identity
from bridge.store.access import revocation
from bridge.store.database import NOW, Part, columns_of, values_of
from bridge.store.keeping import QUEUE, delivery_rows
from bridge.store.records import Session
from bridge.store.schema import grants, pending_logins, session_tickets, sessions

_SESSION = columns_of(sessions, Session)

SAVE_SESSION = insert(sessions)
SAVE_TICKET = insert(session_tickets)
RENEW_SESSION = (
    update(sessions)
    .where(sessions.c.sid == bindparam("of_sid"), sessions.c.ended_at.is_(None))
    .values(
        {name: bindparam(f"new_{name}") for name in ("cookie_hash", "identity", "auth_time", "expires_at")},
    )
)
_LIVE = (sessions.c.ended_at.is_(None), sessions.c.expires_at > NOW)
FIND_SESSION = select(*_SESSION).where(sessions.c.cookie_hash == bindparam("cookie"), *_LIVE)
HAS_ENDED = select(sessions.c.sid).where(
    sessions.c.cookie_hash == bindparam("cookie"), sessions.c.ended_at.is_not(None), sessions.c.ended_by_cas.is_(False)
)
FIND_BY_SID = select(*_SESSION).where(sessions.c.sid == bindparam("of_sid"), *_LIVE)
NEWEST_SESSIONS = select(*_SESSION).order_by(sessions.c.created_at.desc()).limit(bindparam("count"))
ALL_SESSIONS = select(*_SESSION).where(*_LIVE).order_by(sessions.c.created_at.desc())
SESSIONS_OF_SUBJECT = (
    select(*_SESSION)
    .where(sessions.c.subject == bindparam("of_subject"), *_LIVE)
    .order_by(sessions.c.created_at.desc())
)
IS_KNOWN_TICKET = union_all(
    select(session_tickets.c.ticket_hash).where(session_tickets.c.ticket_hash == bindparam("ticket")),
    select(pending_logins.c.ticket_hash).where(pending_logins.c.ticket_hash == bindparam("ticket")),
).limit(1)
# The session of a ticket begins, or CAS ends it: whichever comes second waits here, and finds what the first has done.
BEGIN_OF_TICKET = (
    update(pending_logins)
    .where(pending_logins.c.ticket_hash == bindparam("ticket"))
    .values(ended_at=pending_logins.c.ended_at)
    .returning(pending_logins.c.ended_at)
)
END_OF_TICKET = (
    update(pending_logins).where(pending_logins.c.ticket_hash == bindparam("ticket")).values(ended_at=bindparam("at"))
)
# Also past its end: what was given out under it may live on, and CAS can still take it back.
SIDS_OF_TICKET = (
    select(sessions.c.sid)
    .join_from(session_tickets, sessions)
    .where(session_tickets.c.ticket_hash == bindparam("ticket"), sessions.c.ended_at.is_(None))
)
END_SESSION = (
    update(sessions)
    .where(sessions.c.sid == bindparam("of_sid"), sessions.c.ended_at.is_(None))
    .values(ended_at=NOW, ended_by_cas=bindparam("by_cas"))
    .returning(sessions.c.sid)
)
LAST_ENDED_BY_CAS = select(func.max(sessions.c.ended_at)).where(sessions.c.ended_by_cas)
HOLDERS_OF_SESSION = (
    select(grants.c.client_id, grants.c.subject)
    .where(grants.c.sid == bindparam("of_sid"), grants.c.subject.is_not(None))
    .distinct()
)
REVOKE_GRANTS_OF_SESSION = revocation(grants.c.sid == bindparam("of_sid"))
REVOKE_GRANTS_BUT_OFFLINE = revocation(grants.c.sid == bindparam("of_sid"), grants.c.offline.is_(False))


class SqlSessions(Part):
    """`Sessions`."""

    def begin(self, session: Session, *, ticket_hash: str) -> bool:
        row = values_of(session) | {"subject": session.identity.subject, "identity": session.identity.to_json()}
        with self._engine.begin() as connection:
            if _cas_has_ended(connection, ticket_hash):
                return False
            connection.execute(SAVE_SESSION, row)
            connection.execute(SAVE_TICKET, {"ticket_hash": ticket_hash, "sid": session.sid})
        return True

    def renew(self, session: Session, *, ticket_hash: str) -> bool:
        row = {
            "of_sid": session.sid,
            "new_cookie_hash": session.cookie_hash,
            "new_identity": session.identity.to_json(),
            "new_auth_time": session.auth_time,
            "new_expires_at": session.expires_at,
        }
        with self._engine.begin() as connection:
            if _cas_has_ended(connection, ticket_hash) or connection.execute(RENEW_SESSION, row).rowcount == 0:
                return False
            connection.execute(SAVE_TICKET, {"ticket_hash": ticket_hash, "sid": session.sid})
        return True

    def find(self, cookie_hash: str, *, now: int) -> Session | None:
        row = self._one(FIND_SESSION, {"cookie": cookie_hash, "now": now})
        return None if row is None else _session(row._mapping)

    def has_ended(self, cookie_hash: str) -> bool:
        return self._one(HAS_ENDED, {"cookie": cookie_hash}) is not None

    def find_by_sid(self, sid: str, *, now: int) -> Session | None:
        row = self._one(FIND_BY_SID, {"of_sid": sid, "now": now})
        return None if row is None else _session(row._mapping)

    def all(self, *, now: int) -> Sequence[Session]:
        return [_session(row._mapping) for row in self._all(ALL_SESSIONS, {"now": now})]

    def newest(self, *, limit: int) -> Sequence[Session]:
        return [_session(row._mapping) for row in self._all(NEWEST_SESSIONS, {"count": limit})]

    def of_subject(self, subject: str, *, now: int) -> Sequence[Session]:
        return [_session(row._mapping) for row in self._all(SESSIONS_OF_SUBJECT, {"of_subject": subject, "now": now})]

    def last_ended_by_cas(self) -> int | None:
        row = self._one(LAST_ENDED_BY_CAS, {})
        return None if row is None else row[0]

    def end(
        self, sid: str, *, now: int, tell: Callable[[str], str | None] = lambda _client_id: None
    ) -> Sequence[tuple[str, str]] | None:
        with self._engine.begin() as connection:
            return _end(connection, sid, now, tell, REVOKE_GRANTS_BUT_OFFLINE)

    def end_by_ticket(
        self,
        ticket_hash: str,
        *,
        now: int,
        tell: Callable[[str], str | None] = lambda _client_id: None,
        offline_too: bool = False,
    ) -> Sequence[str]:
        # Asked without writing: anybody can name tickets here, and writers wait for one another.
        if self._one(IS_KNOWN_TICKET, {"ticket": ticket_hash}) is None:
            return ()
        revoke = REVOKE_GRANTS_OF_SESSION if offline_too else REVOKE_GRANTS_BUT_OFFLINE
        with self._engine.begin() as connection:
            connection.execute(END_OF_TICKET, {"ticket": ticket_hash, "at": now})
            sids = connection.execute(SIDS_OF_TICKET, {"ticket": ticket_hash}).scalars().all()
            return [sid for sid in sids if _end(connection, sid, now, tell, revoke, by_cas=True) is not None]


def _cas_has_ended(connection: Connection, ticket_hash: str) -> bool:
    """Whether the ticket was ended while it was validated. Waits for whoever is ending it."""
    return connection.execute(BEGIN_OF_TICKET, {"ticket": ticket_hash}).scalar_one_or_none() is not None


def _end(
    connection: Connection,
    sid: str,
    now: int,
    tell: Callable[[str], str | None],
    revoke: Update,
    *,
    by_cas: bool = False,
) -> Sequence[tuple[str, str]] | None:
    """The (client_id, subject) that held something; None when it has ended before."""
    if connection.execute(END_SESSION, {"of_sid": sid, "now": now, "by_cas": by_cas}).one_or_none() is None:
        return None
    holders = connection.execute(HOLDERS_OF_SESSION, {"of_sid": sid}).all()
    connection.execute(revoke, {"of_sid": sid, "now": now})
    told = [(row.client_id, sid, row.subject, uri) for row in holders if (uri := tell(row.client_id))]
    if told:
        connection.execute(QUEUE, delivery_rows(told, now))
    return [(row.client_id, row.subject) for row in holders]


def _session(columns: Mapping[Any, Any]) -> Session:
    return Session(**{**columns, "identity": Identity.from_json(columns["identity"])})
