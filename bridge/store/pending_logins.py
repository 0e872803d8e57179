"""Statements on pending logins: authorization requests waiting for CAS."""

import itertools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine, Row, Update, bindparam, delete, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from bridge.store.database import NOW, SqlRepository, columns_of, limit_wal, read_record, values_of
from bridge.store.records import AlreadyConsumed, Consumed, ExpiredLogin, PendingLogin, UnknownLogin, fingerprint
from bridge.store.schema import pending_logins, session_tickets

_LOGIN = columns_of(pending_logins, PendingLogin)
_OF_BROWSER = pending_logins.c.browser_hash.in_(bindparam("browsers", expanding=True))
_CAN_BE_CONSUMED = (
    _OF_BROWSER,
    pending_logins.c.ticket_hash.is_(None),
    pending_logins.c.expires_at > NOW,
    # Checked against the sessions too: a consumed login is purged long before the session of its ticket.
    ~exists().where(session_tickets.c.ticket_hash == bindparam("ticket")),
)
# The common id of the browser replaces that of a tab, because sessions of one browser are found by it.
_consumption = (
    update(pending_logins).values(ticket_hash=bindparam("ticket"), browser_hash=bindparam("browser")).returning(*_LOGIN)
)

OLD_LIFETIME = 600  # seconds between creation and expiry, in versions that stored the expiry only
TRIAL_BYTES = 8192  # more than the rest of a page, so that SQLite must find free ones

# All logins together: what anyone can store without an account. Rows are counted with their indexes.
MAX_LOGINS = 20_000
MAX_BYTES = 32 * 1024 * 1024
ROW_BYTES = 600
# The limit is checked at one of so many logins, because counting reads an index of all of them.
CHECK_INTERVAL = 64

SAVE_LOGIN = insert(pending_logins)
TOTAL_OF_LOGINS = select(
    func.count().label("number"), func.coalesce(func.sum(pending_logins.c.size), 0).label("size")
).select_from(pending_logins)
# Finished logins are among the oldest, and are needed only when a callback is reloaded.
_oldest = (
    select(pending_logins.c.state_hash)
    .order_by(pending_logins.c.expires_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
DISCARD_OLDEST = delete(pending_logins).where(pending_logins.c.state_hash.in_(_oldest))
DELETE_LOGIN = delete(pending_logins).where(pending_logins.c.state_hash == bindparam("state"))
CONSUME_LOGIN = _consumption.where(pending_logins.c.state_hash == bindparam("state"), *_CAN_BE_CONSUMED)
# For a CAS server that accepts one service URL only, so that the URL cannot name the login.
_NEWEST_LOGIN = (
    select(pending_logins.c.state_hash)
    .where(*_CAN_BE_CONSUMED, pending_logins.c.gateway.in_(bindparam("gateways", expanding=True)))
    .order_by(pending_logins.c.expires_at.desc(), pending_logins.c.state_hash)
    .limit(1)
    .with_for_update(skip_locked=True)
    .cte("newest")
)
CONSUME_NEWEST_LOGIN = _consumption.where(pending_logins.c.state_hash.in_(select(_NEWEST_LOGIN.c.state_hash)))
FIND_LOGIN_BY_TICKET = select(*_LOGIN).where(pending_logins.c.ticket_hash == bindparam("ticket"), _OF_BROWSER)
FIND_LOGIN = select(*_LOGIN, pending_logins.c.ticket_hash).where(
    pending_logins.c.state_hash == bindparam("state"), _OF_BROWSER
)


class PendingLogins(SqlRepository):
    """Authorization requests waiting for CAS."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._saved = itertools.count()

    def save(self, login: PendingLogin) -> int:
        """Store a login before the browser is sent to CAS; return how many old ones were discarded for it."""
        self._execute(SAVE_LOGIN, _row(login))
        return 0 if next(self._saved) % CHECK_INTERVAL else self.discard_excess()

    def discard_excess(self) -> int:
        """Discard the oldest logins while there are too many or too large ones; return their number."""
        limit_wal(self._engine)
        discarded = 0
        while True:
            total = self._all(TOTAL_OF_LOGINS, {})[0]
            if total.number <= MAX_LOGINS and total.size <= MAX_BYTES:
                return discarded
            oldest = self._execute(DISCARD_OLDEST, {"most": total.number // 20 + CHECK_INTERVAL})
            if not oldest:  # another worker is discarding them
                return discarded
            discarded += oldest

    def try_save(self) -> None:
        """Store a login and delete it, in one transaction that needs free space."""
        login = PendingLogin(
            state_hash=fingerprint(secrets.token_hex()),
            browser_hash="",
            service="",
            request="x" * TRIAL_BYTES,
            renew=False,
            gateway=False,
            attempt=1,
            created_at=0,
            expires_at=0,
        )
        with self._engine.begin() as connection:
            connection.execute(SAVE_LOGIN, _row(login))
            connection.execute(DELETE_LOGIN, {"state": login.state_hash})

    def consume(
        self, state_hash: str, *, browser_hashes: Sequence[str], ticket_hash: str, now: int
    ) -> Consumed | AlreadyConsumed | ExpiredLogin | UnknownLogin:
        """Consume a login of this browser with a ticket. Of concurrent callers, exactly one gets `Consumed`.

        The login then belongs to the first hash of the browser. A ticket consumes one login at most, so
        `AlreadyConsumed` also stands for a ticket that was used before.
        """
        values = {"state": state_hash, **_browser_values(browser_hashes), "ticket": ticket_hash, "now": now}
        if (consumed := self._consume(CONSUME_LOGIN, values)) is not None:
            return Consumed(consumed)
        row = self._one(FIND_LOGIN, values)
        if row is None:
            return UnknownLogin()
        login = _login(row)
        return ExpiredLogin(login) if row.ticket_hash is None and login.expires_at <= now else AlreadyConsumed(login)

    def consume_newest(
        self, *, browser_hashes: Sequence[str], ticket_hash: str, now: int, gateway_only: bool = False
    ) -> Consumed | AlreadyConsumed | UnknownLogin:
        """Consume the newest login of this browser, for a CAS server whose callback URL cannot name the login.

        With `gateway_only`, consider only logins sent to CAS with `gateway=true`.
        """
        gateways = [True] if gateway_only else [True, False]
        values = {**_browser_values(browser_hashes), "ticket": ticket_hash, "now": now, "gateways": gateways}
        if (consumed := self._consume(CONSUME_NEWEST_LOGIN, values)) is not None:
            return Consumed(consumed)
        row = self._one(FIND_LOGIN_BY_TICKET, values)
        return UnknownLogin() if row is None else AlreadyConsumed(_login(row))

    def find(self, state_hash: str, *, browser_hashes: Sequence[str]) -> PendingLogin | None:
        """Return a login of this browser, consumed or not."""
        row = self._one(FIND_LOGIN, {"state": state_hash, "browsers": browser_hashes})
        return None if row is None else _login(row)

    def _consume(self, statement: Update, values: Mapping[str, Any]) -> PendingLogin | None:
        try:
            with self._engine.begin() as connection:
                row = connection.execute(statement, values).one_or_none()
        except IntegrityError:  # the ticket has consumed another login
            return None
        return None if row is None else _login(row)


def _browser_values(browser_hashes: Sequence[str]) -> dict[str, Any]:
    return {"browsers": browser_hashes, "browser": browser_hashes[0]}


def _row(login: PendingLogin) -> dict[str, Any]:
    return values_of(login) | {"size": len(login.request.encode()) + len(login.service) + ROW_BYTES}


def _login(row: Row[Any]) -> PendingLogin:
    login = read_record(PendingLogin, row, _LOGIN)
    # A worker of an older version, on a database that is already migrated, does not store the time.
    return login if login.created_at else replace(login, created_at=login.expires_at - OLD_LIFETIME)
