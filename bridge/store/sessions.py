"""Statements on sessions, and on the tickets by which CAS ends them."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
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
from bridge.store.grant_revocation import revoke_where
from bridge.store.records import Session
from bridge.store.schema import grants, pending_logins, session_tickets, sessions

LogoutUri = Callable[[str], str | None]
"""Returns the back-channel logout URI of a client_id, if it has one."""

_SESSION = columns_of(sessions, Session)
_OF_SID, _NOT_ENDED = sessions.c.sid == bindparam("of_sid"), sessions.c.ended_at.is_(None)
_OF_COOKIE = sessions.c.cookie_hash == bindparam("cookie")
_TICKET: BindParameter[str] = bindparam("ticket")

SAVE_SESSION, SAVE_TICKET = insert(sessions), insert(session_tickets)
_RENEWED = ("cookie_hash", "identity", "auth_time", "expires_at", "browser_hash")
RENEW_SESSION = (
    update(sessions).where(_OF_SID, _NOT_ENDED).values({name: bindparam(f"new_{name}") for name in _RENEWED})
)
_ACTIVE = select(*_SESSION).where(_NOT_ENDED, sessions.c.expires_at > NOW)
FIND_SESSION, FIND_BY_SID = _ACTIVE.where(_OF_COOKIE), _ACTIVE.where(_OF_SID)
HAS_ENDED = select(sessions.c.sid).where(
    _OF_COOKIE, sessions.c.ended_at.is_not(None), sessions.c.ended_by_cas.is_(False)
)
NEWEST_SESSIONS = select(*_SESSION).order_by(sessions.c.created_at.desc()).limit(bindparam("count"))
ACTIVE_SESSIONS = _ACTIVE.order_by(sessions.c.created_at.desc())
ACTIVE_SESSIONS_OF_SUBJECT = ACTIVE_SESSIONS.where(sessions.c.subject == bindparam("of_subject"))
_UPDATE_LOGIN = update(pending_logins).where(pending_logins.c.ticket_hash == _TICKET)
# Locks the login of a ticket, so that beginning its session and ending it by CAS wait for each other.
LOCK_LOGIN_OF_TICKET = _UPDATE_LOGIN.values(ended_at=pending_logins.c.ended_at).returning(pending_logins.c.ended_at)
END_LOGIN_OF_TICKET = _UPDATE_LOGIN.values(ended_at=bindparam("at"))
# The sessions of a ticket: the one it began or renewed, and the user's others in the same browser, whose tickets CAS
# may not know. Before its own session is stored, all active sessions of the browser. Ended and expired sessions are
# included, because grants may outlive them.
_NAMED, _OTHER = sessions.alias("named"), sessions.alias("other")
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
HAS_ACTIVE_GRANTS_OR_SESSIONS = union_all(
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
            grants.c.offline.is_(False) | bindparam("include_offline"),
        )
    ),
).limit(1)
END_SESSION = update(sessions).where(_OF_SID, _NOT_ENDED).values(ended_at=NOW, ended_by_cas=bindparam("by_cas"))
MARK_ENDED_BY_CAS = update(sessions).where(_OF_SID, sessions.c.ended_by_cas.is_(False)).values(ended_by_cas=True)
LAST_ENDED_BY_CAS = select(func.max(sessions.c.ended_at)).where(sessions.c.ended_by_cas)
_GRANTED_IN = grants.c.sid == bindparam("of_sid")
CLIENTS_OF_SESSION = (
    select(grants.c.client_id, grants.c.subject).where(_GRANTED_IN, grants.c.subject.is_not(None)).distinct()
)
ACTIVE_CLIENTS_OF_SESSION = (
    select(grants.c.client_id).where(_GRANTED_IN, grants.c.revoked_at.is_(None)).distinct().order_by(grants.c.client_id)
)
REVOKE_GRANTS_OF_SESSION = revoke_where(_GRANTED_IN)
REVOKE_ONLINE_GRANTS_OF_SESSION = revoke_where(_GRANTED_IN, grants.c.offline.is_(False))


class Sessions(SqlRepository):
    """Browsers signed in at the bridge."""

    def begin(self, session: Session, *, ticket_hash: str) -> bool:
        """Store a session, and the ticket by which CAS ends it.

        Return False, with nothing changed, if CAS ended the ticket's session after the login was consumed.
        """
        with self._engine.begin() as connection:
            if _is_ended_by_cas(connection, ticket_hash):
                return False
            connection.execute(SAVE_SESSION, _row(session))
            connection.execute(SAVE_TICKET, {"ticket_hash": ticket_hash, "sid": session.sid})
        return True

    def renew(self, session: Session, *, ticket_hash: str) -> bool:
        """Give a session a new cookie and identity after the user authenticated again; its `sid` stays.

        Grants of the session stay. Each of its tickets still ends it. Return False, with nothing changed, if the
        session has ended; then begin a new one.
        """
        values = _row(session)
        row = {"of_sid": session.sid} | {f"new_{name}": values[name] for name in _RENEWED}
        with self._engine.begin() as connection:
            if _is_ended_by_cas(connection, ticket_hash) or connection.execute(RENEW_SESSION, row).rowcount == 0:
                return False
            connection.execute(SAVE_TICKET, {"ticket_hash": ticket_hash, "sid": session.sid})
        return True

    def find(self, cookie_hash: str, *, now: int) -> Session | None:
        """Return a session that has neither ended nor expired."""
        row = self._one(FIND_SESSION, {"cookie": cookie_hash, "now": now})
        return None if row is None else _session(row)

    def has_ended(self, cookie_hash: str) -> bool:
        """Return whether this session was ended, but not by CAS."""
        return self._one(HAS_ENDED, {"cookie": cookie_hash}) is not None

    def find_by_sid(self, sid: str, *, now: int) -> Session | None:
        """Return a session that has neither ended nor expired, by its `sid`."""
        row = self._one(FIND_BY_SID, {"of_sid": sid, "now": now})
        return None if row is None else _session(row)

    def list_active(self, *, now: int) -> Sequence[Session]:
        """Return all active sessions, newest first."""
        return [_session(row) for row in self._all(ACTIVE_SESSIONS, {"now": now})]

    def list_newest(self, *, limit: int) -> Sequence[Session]:
        """Return the newest sessions, ended and expired ones included."""
        return [_session(row) for row in self._all(NEWEST_SESSIONS, {"count": limit})]

    def list_by_subject(self, subject: str, *, now: int) -> Sequence[Session]:
        """Return a user's active sessions, newest first."""
        return [_session(row) for row in self._all(ACTIVE_SESSIONS_OF_SUBJECT, {"of_subject": subject, "now": now})]

    def list_clients(self, sid: str) -> Sequence[str]:
        """Return the client_id of each client with a valid grant of a session."""
        return [row.client_id for row in self._all(ACTIVE_CLIENTS_OF_SESSION, {"of_sid": sid})]

    def last_ended_by_cas(self) -> int | None:
        """Return when CAS last ended a session."""
        row = self._one(LAST_ENDED_BY_CAS, {})
        return None if row is None else row[0]

    def end(
        self, sid: str, *, now: int, logout_uri: LogoutUri = lambda _client_id: None
    ) -> Sequence[tuple[str, str]] | None:
        """End a session and revoke its grants, except those with offline access.

        Logout tokens to each `logout_uri` are queued in the same transaction, so that a crash loses none. Return the
        (client_id, subject) of each client with a grant, or None if the session had ended before.
        """
        with self._engine.begin() as connection:
            return _end(connection, sid, now, logout_uri, REVOKE_ONLINE_GRANTS_OF_SESSION)

    def end_by_ticket(
        self,
        ticket_hash: str,
        *,
        now: int,
        logout_uri: LogoutUri = lambda _client_id: None,
        include_offline: bool = False,
    ) -> Sequence[str]:
        """End the session that a ticket began or renewed, because CAS ended its own.

        The user's other sessions in the same browser end too, because CAS may not know their tickets. While the
        ticket's session is about to begin, all sessions of the browser end, and that session will not begin. Expired
        sessions are included, because their grants may still be valid.

        With `include_offline`, grants with offline access are revoked too, also those of sessions that ended before.
        Return the `sid` of each session that ended now.
        """
        # Checked without a lock, because unauthenticated clients can send any ticket.
        values = {"ticket": ticket_hash, "include_offline": include_offline}
        if self._one(HAS_ACTIVE_GRANTS_OR_SESSIONS, values) is None:
            return ()
        revoke = REVOKE_GRANTS_OF_SESSION if include_offline else REVOKE_ONLINE_GRANTS_OF_SESSION
        ended = []
        with self._engine.begin() as connection:
            connection.execute(END_LOGIN_OF_TICKET, {"ticket": ticket_hash, "at": now})
            for sid in connection.execute(SIDS_OF_TICKET, {"ticket": ticket_hash}).scalars().all():
                if _end(connection, sid, now, logout_uri, revoke, by_cas=True) is not None:
                    ended.append(sid)
                else:  # the session had ended before, but its grants may not outlive the CAS session
                    connection.execute(MARK_ENDED_BY_CAS, {"of_sid": sid})
                    connection.execute(revoke, {"of_sid": sid, "now": now})
        return ended


def _is_ended_by_cas(connection: Connection, ticket_hash: str) -> bool:
    """Return whether CAS ended its session after the login was consumed; wait for a transaction that does so."""
    return connection.execute(LOCK_LOGIN_OF_TICKET, {"ticket": ticket_hash}).scalar_one_or_none() is not None


def _end(
    connection: Connection, sid: str, now: int, logout_uri: LogoutUri, revoke: Update, *, by_cas: bool = False
) -> Sequence[tuple[str, str]] | None:
    """Return the (client_id, subject) of each client with a grant, or None if the session had ended before."""
    if connection.execute(END_SESSION, {"of_sid": sid, "now": now, "by_cas": by_cas}).rowcount == 0:
        return None
    clients = connection.execute(CLIENTS_OF_SESSION, {"of_sid": sid}).all()
    connection.execute(revoke, {"of_sid": sid, "now": now})
    entries = [(row.client_id, sid, row.subject, uri) for row in clients if (uri := logout_uri(row.client_id))]
    if entries:
        connection.execute(QUEUE, delivery_rows(entries, now))
    return [(row.client_id, row.subject) for row in clients]


def _session(row: Row[Any]) -> Session:
    return Session(**{**row._mapping, "identity": Identity.from_json(row.identity)})


def _row(session: Session) -> dict[str, Any]:
    return values_of(session) | {"subject": session.identity.subject, "identity": session.identity.to_json()}
