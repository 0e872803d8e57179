"""Browsers signed in at the bridge, and the tickets by which CAS ends that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Update,
    bindparam,
    exists,
    func,
    insert,
    select,
    union,
    union_all,
    update,
)

from bridge.identity import Identity
from bridge.store.database import NOW, SqlRepository, columns_of, values_of
from bridge.store.deliveries import QUEUE, delivery_rows
from bridge.store.grant_revocation import revocation
from bridge.store.records import Session
from bridge.store.schema import grants, pending_logins, session_tickets, sessions

_SESSION = columns_of(sessions, Session)

SAVE_SESSION = insert(sessions)
SAVE_TICKET = insert(session_tickets)
_RENEWED = ("cookie_hash", "identity", "auth_time", "expires_at", "browser_hash")
RENEW_SESSION = (
    update(sessions)
    .where(sessions.c.sid == bindparam("of_sid"), sessions.c.ended_at.is_(None))
    .values(
        {name: bindparam(f"new_{name}") for name in _RENEWED},
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
# What a ticket stands for: the session that it began or renewed; the others of the same user in the same browser, for
# which CAS may have no name; and where its own sign-in is not written down yet, those that the browser has. Also past
# their end: what was given out under them may live on, and CAS can still take it back.
_NAMED, _OTHER = sessions.alias("named"), sessions.alias("other")
_TICKET: BindParameter[str] = bindparam("ticket")
_OF_TICKET = union(
    select(session_tickets.c.sid).where(session_tickets.c.ticket_hash == _TICKET),
    select(_OTHER.c.sid)
    .join_from(session_tickets, _NAMED, session_tickets.c.sid == _NAMED.c.sid)
    .join(_OTHER, (_OTHER.c.browser_hash == _NAMED.c.browser_hash) & (_OTHER.c.subject == _NAMED.c.subject))
    .where(session_tickets.c.ticket_hash == _TICKET),
    select(_OTHER.c.sid)
    .join_from(pending_logins, _OTHER, pending_logins.c.browser_hash == _OTHER.c.browser_hash)
    .where(
        pending_logins.c.ticket_hash == _TICKET,
        _OTHER.c.ended_at.is_(None),
        ~exists().where(session_tickets.c.ticket_hash == _TICKET),
    ),
).subquery("of_ticket")
SIDS_OF_TICKET = select(_OF_TICKET.c.sid).order_by(_OF_TICKET.c.sid)
IS_ANYTHING_LEFT = union_all(
    select(pending_logins.c.ticket_hash).where(
        pending_logins.c.ticket_hash == _TICKET, pending_logins.c.ended_at.is_(None)
    ),
    select(sessions.c.sid)
    .join_from(_OF_TICKET, sessions, sessions.c.sid == _OF_TICKET.c.sid)
    .where(
        sessions.c.ended_at.is_(None)
        | sessions.c.ended_by_cas.is_(False)
        | exists().where(
            grants.c.sid == sessions.c.sid,
            grants.c.revoked_at.is_(None),
            grants.c.offline.is_(False) | bindparam("offline_too"),
        )
    ),
).limit(1)
END_SESSION = (
    update(sessions)
    .where(sessions.c.sid == bindparam("of_sid"), sessions.c.ended_at.is_(None))
    .values(ended_at=NOW, ended_by_cas=bindparam("by_cas"))
    .returning(sessions.c.sid)
)
CAS_ENDS_IT_TOO = (
    update(sessions)
    .where(sessions.c.sid == bindparam("of_sid"), sessions.c.ended_by_cas.is_(False))
    .values(ended_by_cas=True)
)
LAST_ENDED_BY_CAS = select(func.max(sessions.c.ended_at)).where(sessions.c.ended_by_cas)
HOLDERS_OF_SESSION = (
    select(grants.c.client_id, grants.c.subject)
    .where(grants.c.sid == bindparam("of_sid"), grants.c.subject.is_not(None))
    .distinct()
)
REVOKE_GRANTS_OF_SESSION = revocation(grants.c.sid == bindparam("of_sid"))
REVOKE_GRANTS_BUT_OFFLINE = revocation(grants.c.sid == bindparam("of_sid"), grants.c.offline.is_(False))


class SqlSessions(SqlRepository):
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
            "new_browser_hash": session.browser_hash,
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
        if self._one(IS_ANYTHING_LEFT, {"ticket": ticket_hash, "offline_too": offline_too}) is None:
            return ()
        revoke = REVOKE_GRANTS_OF_SESSION if offline_too else REVOKE_GRANTS_BUT_OFFLINE
        ended = []
        with self._engine.begin() as connection:
            connection.execute(END_OF_TICKET, {"ticket": ticket_hash, "at": now})
            for sid in connection.execute(SIDS_OF_TICKET, {"ticket": ticket_hash}).scalars().all():
                if _end(connection, sid, now, tell, revoke, by_cas=True) is not None:
                    ended.append(sid)
                else:  # over before, but what was to outlive it need not outlive this
                    connection.execute(CAS_ENDS_IT_TOO, {"of_sid": sid})
                    connection.execute(revoke, {"of_sid": sid, "now": now})
        return ended


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
