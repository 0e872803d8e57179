"""The store on SQLAlchemy Core.

Every statement is built once, here at the top: building one costs more than running it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Engine,
    Row,
    bindparam,
    create_engine,
    delete,
    event,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from bridge.errors import ConfigurationError
from bridge.identity import Identity
from bridge.store.records import AccessToken, AuthorizationCode, PendingLogin, Session, SigningKey
from bridge.store.schema import access_tokens, codes, metadata, pending_logins, sessions, signing_keys

NOW: BindParameter[int] = bindparam("now")
# A spent code is remembered this long after its end: a replay then still revokes what it gave.
REDEEMED_CODE_KEPT_SECONDS = 24 * 3600
BUSY_TIMEOUT_SECONDS = 5
POOL_SIZE = 16
OF_SESSION = "of_session_"

_LOGIN_COLUMNS = [column for column in pending_logins.c if column.name != "ticket_hash"]
_CODE_COLUMNS = [column for column in codes.c if column.name != "redeemed_at"]
_SESSION_COLUMNS = [column for column in sessions.c if column.name != "ended_at"]
_TOKEN_COLUMNS = [column for column in access_tokens.c if column.name != "revoked_at"]
_KEY_COLUMNS = [column for column in signing_keys.c if column.name != "sequence"]

SAVE_LOGIN = insert(pending_logins)
CLAIM_LOGIN = (
    update(pending_logins)
    .where(
        pending_logins.c.state_hash == bindparam("state"),
        pending_logins.c.browser_hash == bindparam("browser"),
        pending_logins.c.ticket_hash.is_(None),
        pending_logins.c.expires_at > NOW,
    )
    .values(ticket_hash=bindparam("ticket"))
    .returning(*_LOGIN_COLUMNS)
)
FIND_LOGIN = select(*_LOGIN_COLUMNS).where(
    pending_logins.c.state_hash == bindparam("state"), pending_logins.c.browser_hash == bindparam("browser")
)
SAVE_SESSION = insert(sessions)
FIND_SESSION = select(*_SESSION_COLUMNS).where(
    sessions.c.session_hash == bindparam("session"),
    sessions.c.ended_at.is_(None),
    sessions.c.expires_at > NOW,
)
FIND_LASTING_SESSION = select(*_SESSION_COLUMNS).where(
    sessions.c.session_hash == bindparam("session"), sessions.c.ended_at.is_(None)
)
SAVE_CODE = insert(codes)
REDEEM_CODE = (
    update(codes)
    .where(codes.c.code_hash == bindparam("code"), codes.c.redeemed_at.is_(None), codes.c.expires_at > NOW)
    .values(redeemed_at=NOW)
    .returning(*_CODE_COLUMNS)
)
REVOKE_TOKENS_OF_CODE = (
    update(access_tokens)
    .where(access_tokens.c.code_hash == bindparam("code"), access_tokens.c.revoked_at.is_(None))
    .values(revoked_at=NOW)
)
SAVE_TOKEN = insert(access_tokens)
# A token outlives the browser's session by design (the session is how long nobody asks CAS again), but never
# its end: whoever signs out takes every token along.
FIND_TOKEN = (
    select(*_TOKEN_COLUMNS, *(column.label(f"{OF_SESSION}{column.name}") for column in _SESSION_COLUMNS))
    .join_from(access_tokens, sessions, access_tokens.c.session_hash == sessions.c.session_hash)
    .where(
        access_tokens.c.token_hash == bindparam("token"),
        access_tokens.c.revoked_at.is_(None),
        access_tokens.c.expires_at > NOW,
        sessions.c.ended_at.is_(None),
    )
)
KEYS = select(*_KEY_COLUMNS).order_by(signing_keys.c.sequence.desc())
SAVE_KEY = insert(signing_keys)
# Children first: a session goes only when nothing given out under it can be used.
PURGES = {
    "pending_logins": delete(pending_logins).where(pending_logins.c.expires_at <= NOW),
    "access_tokens": delete(access_tokens).where(access_tokens.c.expires_at <= NOW),
    "codes": delete(codes).where(codes.c.expires_at + REDEEMED_CODE_KEPT_SECONDS <= NOW),
    "sessions": delete(sessions).where(
        or_(sessions.c.expires_at <= NOW, sessions.c.ended_at <= NOW),
        ~exists().where(access_tokens.c.session_hash == sessions.c.session_hash),
        ~exists().where(codes.c.session_hash == sessions.c.session_hash, codes.c.expires_at > NOW),
    ),
}


class SqlStore:
    """`Store` on SQLite."""

    def __init__(self, url: str) -> None:
        """Connect, and make the tables that are not there yet.

        :param url: an SQLAlchemy URL
        :raises ConfigurationError: when the database cannot be opened or written
        """
        self._engine: Engine = create_engine(url, pool_size=POOL_SIZE, hide_parameters=True)
        event.listen(self._engine, "connect", _set_up_sqlite)
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # one process makes the tables
                metadata.create_all(connection)
                # SQLite opens a read-only file without a word; something has to be written before it speaks.
                connection.exec_driver_sql("DELETE FROM signing_keys WHERE 0 = 1")
                connection.commit()
        except SQLAlchemyError as error:
            reason = getattr(error, "orig", None) or type(error).__name__
            place = self._engine.url.render_as_string(hide_password=True)
            raise ConfigurationError(
                [f"PASSERELLE_DATABASE_URL: cannot use {place}: {reason}; it must be a writable file"]
            ) from error

    def save_pending_login(self, login: PendingLogin) -> None:
        self._execute(SAVE_LOGIN, _columns(login))

    def claim_pending_login(
        self, state_hash: str, *, browser_hash: str, ticket_hash: str, now: int
    ) -> PendingLogin | None:
        values = {"state": state_hash, "browser": browser_hash, "ticket": ticket_hash, "now": now}
        try:
            with self._engine.begin() as connection:
                row = connection.execute(CLAIM_LOGIN, values).one_or_none()
        except IntegrityError:  # the ticket has taken another login before
            return None
        return None if row is None else PendingLogin(**row._mapping)

    def find_pending_login(self, state_hash: str, *, browser_hash: str) -> PendingLogin | None:
        row = self._find(FIND_LOGIN, {"state": state_hash, "browser": browser_hash})
        return None if row is None else PendingLogin(**row._mapping)

    def save_session(self, session: Session) -> None:
        self._execute(SAVE_SESSION, _columns(session) | {"identity": session.identity.to_json()})

    def find_session(self, session_hash: str, *, now: int) -> Session | None:
        row = self._find(FIND_SESSION, {"session": session_hash, "now": now})
        return None if row is None else _session(row._mapping)

    def save_code(self, code: AuthorizationCode) -> None:
        self._execute(SAVE_CODE, _columns(code))

    def redeem_code(
        self, code_hash: str, *, now: int, mint: Callable[[AuthorizationCode, Session], AccessToken]
    ) -> AuthorizationCode | None:
        refusal: Exception | None = None
        with self._engine.begin() as connection:
            row = connection.execute(REDEEM_CODE, {"code": code_hash, "now": now}).one_or_none()
            if row is None:
                connection.execute(REVOKE_TOKENS_OF_CODE, {"code": code_hash, "now": now})
                return None
            code = AuthorizationCode(**row._mapping)
            session = _lasting_session(connection, code.session_hash)
            if session is None:
                return None
            try:
                connection.execute(SAVE_TOKEN, _columns(mint(code, session)))
            except SQLAlchemyError:
                raise
            except Exception as error:  # noqa: BLE001  raised again below, once the code is spent for good
                refusal = error
        if refusal is not None:
            raise refusal
        return code

    def find_access_token(self, token_hash: str, *, now: int) -> tuple[AccessToken, Session] | None:
        row = self._find(FIND_TOKEN, {"token": token_hash, "now": now})
        if row is None:
            return None
        of_token = {column.name: row._mapping[column.name] for column in _TOKEN_COLUMNS}
        of_session = {column.name: row._mapping[OF_SESSION + column.name] for column in _SESSION_COLUMNS}
        return AccessToken(**of_token), _session(of_session)

    def add_first_signing_key(self, key: SigningKey) -> bool:
        try:
            self._execute(SAVE_KEY, _columns(key) | {"sequence": 1})
        except IntegrityError:
            return False
        return True

    def signing_keys(self) -> tuple[SigningKey, ...]:
        with self._engine.connect() as connection:
            return tuple(SigningKey(**row._mapping) for row in connection.execute(KEYS))

    def purge(self, *, now: int) -> Mapping[str, int]:
        with self._engine.begin() as connection:
            return {name: connection.execute(what, {"now": now}).rowcount for name, what in PURGES.items()}

    def check(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(select(func.count()).select_from(signing_keys))

    def close(self) -> None:
        self._engine.dispose()

    def _execute(self, statement: Any, values: Mapping[str, Any]) -> None:
        with self._engine.begin() as connection:
            connection.execute(statement, values)

    def _find(self, statement: Any, values: Mapping[str, Any]) -> Row[Any] | None:
        with self._engine.connect() as connection:
            return connection.execute(statement, values).one_or_none()


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    """WAL lets readers go on while one writes; NORMAL then syncs at checkpoints, which a crash survives."""
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
    give_up = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while cursor.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:  # this one statement does not wait for another process that changes it too
            if time.monotonic() > give_up:
                raise
            time.sleep(0.01)
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _columns(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}


def _session(columns: Mapping[Any, Any]) -> Session:
    return Session(**{**columns, "identity": Identity.from_json(columns["identity"])})


def _lasting_session(connection: Connection, session_hash: str) -> Session | None:
    row = connection.execute(FIND_LASTING_SESSION, {"session": session_hash}).one_or_none()
    return None if row is None else _session(row._mapping)
