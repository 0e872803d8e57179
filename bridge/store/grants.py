"""Statements on grants, authorization codes, access tokens and refresh tokens."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, Table, bindparam, delete, exists, insert, select, update

from bridge.identity import Identity
from bridge.store.database import NOW, columns_of, read_record, values_of
from bridge.store.grant_revocation import GRANT_ID, HASH, REVOKE_GRANT, GrantRevocation
from bridge.store.records import (
    AccessToken,
    AuthorizationCode,
    Grant,
    IssueT,
    Redeemed,
    Redemption,
    RefreshToken,
    Reused,
    TokenRecords,
    Unknown,
)
from bridge.store.schema import access_tokens, codes, grants, refresh_tokens, sessions

_GRANT = columns_of(grants, Grant)
_ACCESS = columns_of(access_tokens, AccessToken)
_REFRESH = columns_of(refresh_tokens, RefreshToken)

SAVE_GRANT, SAVE_CODE = insert(grants), insert(codes)
SAVE_ACCESS, SAVE_REFRESH = insert(access_tokens), insert(refresh_tokens)
FIND_GRANT = select(*_GRANT).where(grants.c.grant_id == GRANT_ID, grants.c.revoked_at.is_(None))
# A signed-in browser could otherwise store any number of grants. Unredeemed codes need no reuse detection.
GRANTS_KEPT = 100  # of one session and client; a hub that revalidates every minute has 60 with valid tokens
_of_session_and_client = (grants.c.sid == bindparam("of_sid"), grants.c.client_id == bindparam("of_client"))
_older = (
    select(grants.c.grant_id).where(*_of_session_and_client).order_by(grants.c.created_at.desc()).offset(GRANTS_KEPT)
)
DISCARD_EXCESS = delete(grants).where(
    *_of_session_and_client,
    exists().where(codes.c.grant_id == grants.c.grant_id, codes.c.redeemed_at.is_(None), codes.c.expires_at <= NOW)
    | grants.c.grant_id.in_(_older),
)
# Locked: waits for a transaction that ends the session.
END_OF_SESSION = select(sessions.c.ended_at).where(sessions.c.sid == bindparam("of_sid")).with_for_update(read=True)
REDEEM_CODE = (
    update(codes)
    .where(codes.c.code_hash == HASH, codes.c.redeemed_at.is_(None), codes.c.expires_at > NOW)
    .values(redeemed_at=NOW)
    .returning(codes.c.grant_id)
)
GRANT_OF_REDEEMED_CODE = select(codes.c.grant_id).where(codes.c.code_hash == HASH, codes.c.redeemed_at.is_not(None))
ROTATE = (
    update(refresh_tokens)
    .where(
        refresh_tokens.c.token_hash == HASH,
        refresh_tokens.c.rotated_at.is_(None),
        refresh_tokens.c.expires_at > NOW,
        exists().where(grants.c.grant_id == refresh_tokens.c.grant_id, grants.c.revoked_at.is_(None)),
    )
    .values(rotated_at=NOW)
    .returning(refresh_tokens.c.grant_id)
)
_OF_HASH = refresh_tokens.c.token_hash == HASH
SET_SUCCESSOR = update(refresh_tokens).where(_OF_HASH).values(successor_hash=bindparam("next"))
# Locked: concurrent repetitions check one by one whether their access token is stored.
FIND_ROTATION = (
    select(refresh_tokens.c.grant_id, refresh_tokens.c.rotated_at, refresh_tokens.c.successor_hash)
    .where(_OF_HASH)
    .with_for_update()
)
IS_UNUSED = select(refresh_tokens.c.token_hash).where(_OF_HASH, refresh_tokens.c.rotated_at.is_(None))
HAS_ACCESS_TOKEN = select(access_tokens.c.token_hash).where(access_tokens.c.token_hash == HASH)


def _find_valid(table: Table, columns: list[Column[Any]], ended_at: str) -> Select[Any]:
    return (
        select(*columns, *_GRANT)
        .join_from(table, grants)
        .where(table.c.token_hash == HASH, table.c[ended_at].is_(None), table.c.expires_at > NOW)
        .where(grants.c.revoked_at.is_(None))
    )


FIND_ACCESS = _find_valid(access_tokens, _ACCESS, "revoked_at")
FIND_REFRESH = _find_valid(refresh_tokens, _REFRESH, "rotated_at")


class Grants(GrantRevocation):
    """Grants, and the codes and tokens issued under them."""

    def begin_with_code(self, grant: Grant, code: AuthorizationCode) -> None:
        """Store a grant and its authorization code; revoke the grant if its session has ended.

        Discard the session's earlier grants to this client whose codes expired without a redemption, and the oldest
        of too many.
        """
        with self._engine.begin() as connection:
            connection.execute(SAVE_GRANT, _grant_row(grant))
            connection.execute(SAVE_CODE, values_of(code))
            if grant.sid is not None:
                values = {"of_sid": grant.sid, "of_client": grant.client_id, "now": grant.created_at}
                connection.execute(DISCARD_EXCESS, values)
                ended_at = connection.execute(END_OF_SESSION, {"of_sid": grant.sid}).scalar_one_or_none()
                if ended_at is not None:
                    connection.execute(REVOKE_GRANT, {"of_grant": grant.grant_id, "now": ended_at})

    def begin_with_token(self, grant: Grant, records: TokenRecords) -> None:
        """Store a grant without a user, and its access token (RFC 6749 §4.4)."""
        with self._engine.begin() as connection:
            connection.execute(SAVE_GRANT, _grant_row(grant))
            _save_tokens(connection, records)

    def redeem_code(
        self, code_hash: str, *, client_id: str, now: int, build: Callable[[Grant], IssueT]
    ) -> Redemption[IssueT]:
        """Redeem a code. Of concurrent callers, exactly one gets its tokens, which are stored with that.

        `build` checks the request and builds the tokens. If it raises, the code is spent and no token is stored. Any
        later redemption by the same client revokes the grant (RFC 9700 §4.2.4).
        """
        with self._engine.begin() as connection:
            grant_id = connection.execute(REDEEM_CODE, {"hash": code_hash, "now": now}).scalar_one_or_none()
            if grant_id is None:
                redeemed = connection.execute(GRANT_OF_REDEEMED_CODE, {"hash": code_hash}).scalar_one_or_none()
                grant = None if redeemed is None else _active_grant(connection, redeemed)
                return _handle_reuse(connection, grant, client_id, now)
            grant = _active_grant(connection, grant_id)
            if grant is None:
                return Unknown()
            try:
                issue = build(grant)
            except Exception:
                connection.commit()  # a rejected request spends the code
                raise
            _save_tokens(connection, issue.records)
            return Redeemed(issue)

    def rotate_refresh_token(
        self, token_hash: str, *, client_id: str, now: int, grace: int, build: Callable[[Grant], IssueT]
    ) -> Redemption[IssueT]:
        """Replace a refresh token. Of concurrent callers, exactly one stores the successor.

        A response can get lost, so a repetition within `grace` seconds gets the tokens too, until the successor
        is used. Any other repetition by the same client is reuse and revokes the grant (RFC 9700 §4.14.2).

        `build` checks the request and builds the tokens, the same ones at every call. If it raises, nothing changes.
        """
        with self._engine.begin() as connection:
            grant_id = connection.execute(ROTATE, {"hash": token_hash, "now": now}).scalar_one_or_none()
            if grant_id is None:
                return _repeat_rotation(connection, token_hash, client_id, build, now=now, grace=grace)
            grant = _active_grant(connection, grant_id)
            if grant is None:
                return Unknown()
            issue = build(grant)
            _save_tokens(connection, issue.records)
            successor = issue.records.refresh_token and issue.records.refresh_token.token_hash
            connection.execute(SET_SUCCESSOR, {"hash": token_hash, "next": successor})
            return Redeemed(issue)

    def find_access_token(self, token_hash: str, *, now: int) -> tuple[AccessToken, Grant] | None:
        """Return an access token that is neither expired nor revoked, with its grant."""
        row = self._one(FIND_ACCESS, {"hash": token_hash, "now": now})
        return None if row is None else (read_record(AccessToken, row, _ACCESS), _grant(row))

    def find_refresh_token(self, token_hash: str, *, now: int) -> tuple[RefreshToken, Grant] | None:
        """Return a refresh token that is neither expired, revoked nor rotated, with its grant."""
        row = self._one(FIND_REFRESH, {"hash": token_hash, "now": now})
        return None if row is None else (read_record(RefreshToken, row, _REFRESH), _grant(row))


def _repeat_rotation(
    connection: Connection, token_hash: str, client_id: str, build: Callable[[Grant], IssueT], *, now: int, grace: int
) -> Redemption[IssueT]:
    """Repeat the answer to a rotation within the grace period; revoke the grant for any later use."""
    row = connection.execute(FIND_ROTATION, {"hash": token_hash}).one_or_none()
    if row is None or row.rotated_at is None:
        return Unknown()
    grant = _active_grant(connection, row.grant_id)
    if grant is None:
        return Unknown()
    is_unused = connection.execute(IS_UNUSED, {"hash": row.successor_hash}).one_or_none() is not None
    if is_unused and now - row.rotated_at <= grace:
        issue = build(grant)
        access_token, refresh_token = issue.records.access_token, issue.records.refresh_token
        if refresh_token is not None and refresh_token.token_hash == row.successor_hash:
            # The answer holds the same tokens; only a narrower scope leads to an access token not yet stored.
            if connection.execute(HAS_ACCESS_TOKEN, {"hash": access_token.token_hash}).one_or_none() is None:
                connection.execute(SAVE_ACCESS, values_of(access_token))
            return Redeemed(issue)
    return _handle_reuse(connection, grant, client_id, now)


def _handle_reuse(connection: Connection, grant: Grant | None, client_id: str, now: int) -> Reused | Unknown:
    """Revoke the grant, unless another client presents the token: an old token must not end foreign access."""
    if grant is None or grant.client_id != client_id:
        return Unknown()
    connection.execute(REVOKE_GRANT, {"of_grant": grant.grant_id, "now": now})
    return Reused(grant)


def _save_tokens(connection: Connection, records: TokenRecords) -> None:
    connection.execute(SAVE_ACCESS, values_of(records.access_token))
    if records.refresh_token is not None:
        connection.execute(SAVE_REFRESH, values_of(records.refresh_token))


def _active_grant(connection: Connection, grant_id: str) -> Grant | None:
    row = connection.execute(FIND_GRANT, {"of_grant": grant_id}).one_or_none()
    return None if row is None else _grant(row)


def _grant(row: Row[Any]) -> Grant:
    grant = read_record(Grant, row, _GRANT)
    return grant if grant.identity is None else replace(grant, identity=Identity.from_json(row.identity))


def _grant_row(grant: Grant) -> dict[str, Any]:
    identity = grant.identity
    return values_of(grant) | {
        "subject": None if identity is None else identity.subject,
        "identity": None if identity is None else identity.to_json(),
    }
