"""What was allowed, and the codes and tokens given out for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, exists, insert, select, update

from bridge.identity import Identity
from bridge.store.database import NOW, columns_of, labelled, of_prefix, values_of
from bridge.store.grant_revocation import GRANT_ID, HASH, REVOKE_GRANT, GrantRevocation
from bridge.store.records import AccessToken, AuthorizationCode, Grant, Minted, RefreshToken
from bridge.store.schema import access_tokens, codes, grants, refresh_tokens, sessions

_CODE = columns_of(codes, AuthorizationCode)
_GRANT = columns_of(grants, Grant)
_ACCESS = columns_of(access_tokens, AccessToken)
_REFRESH = columns_of(refresh_tokens, RefreshToken)
OF_GRANT = "of_grant_"

SAVE_GRANT, SAVE_CODE = insert(grants), insert(codes)
SAVE_ACCESS, SAVE_REFRESH = insert(access_tokens), insert(refresh_tokens)
FIND_GRANT = select(*_GRANT).where(grants.c.grant_id == GRANT_ID, grants.c.revoked_at.is_(None))
# Waits for whoever is just ending the session.
END_OF_SESSION = select(sessions.c.ended_at).where(sessions.c.sid == bindparam("of_sid")).with_for_update(read=True)
REDEEM_CODE = (
    update(codes)
    .where(codes.c.code_hash == HASH, codes.c.redeemed_at.is_(None), codes.c.expires_at > NOW)
    .values(redeemed_at=NOW)
    .returning(*_CODE)
)
GRANT_OF_SPENT_CODE = select(codes.c.grant_id).where(codes.c.code_hash == HASH, codes.c.redeemed_at.is_not(None))
ROTATE = (
    update(refresh_tokens)
    .where(
        refresh_tokens.c.token_hash == HASH,
        refresh_tokens.c.rotated_at.is_(None),
        refresh_tokens.c.expires_at > NOW,
        exists().where(grants.c.grant_id == refresh_tokens.c.grant_id, grants.c.revoked_at.is_(None)),
    )
    .values(rotated_at=NOW)
    .returning(*_REFRESH)
)
NAME_SUCCESSOR = (
    update(refresh_tokens).where(refresh_tokens.c.token_hash == HASH).values(successor_hash=bindparam("next"))
)
# Locked: of many repetitions one after the other looks whether its access token is there already.
FIND_ANY_REFRESH = (
    select(*_REFRESH, refresh_tokens.c.rotated_at, refresh_tokens.c.successor_hash)
    .where(refresh_tokens.c.token_hash == HASH)
    .with_for_update()
)
IS_UNUSED = select(refresh_tokens.c.token_hash).where(
    refresh_tokens.c.token_hash == HASH, refresh_tokens.c.rotated_at.is_(None)
)
HAS_ACCESS_TOKEN = select(access_tokens.c.token_hash).where(access_tokens.c.token_hash == HASH)
FIND_ACCESS = (
    select(*_ACCESS, *labelled(_GRANT, OF_GRANT))
    .join_from(access_tokens, grants)
    .where(
        access_tokens.c.token_hash == HASH,
        access_tokens.c.revoked_at.is_(None),
        access_tokens.c.expires_at > NOW,
        grants.c.revoked_at.is_(None),
    )
)
FIND_REFRESH = (
    select(*_REFRESH, *labelled(_GRANT, OF_GRANT))
    .join_from(refresh_tokens, grants)
    .where(
        refresh_tokens.c.token_hash == HASH,
        refresh_tokens.c.rotated_at.is_(None),
        refresh_tokens.c.expires_at > NOW,
        grants.c.revoked_at.is_(None),
    )
)


class SqlGrants(GrantRevocation):
    """`Grants`."""

    def begin_with_code(self, grant: Grant, code: AuthorizationCode) -> None:
        with self._engine.begin() as connection:
            connection.execute(SAVE_GRANT, _grant_row(grant))
            connection.execute(SAVE_CODE, values_of(code))
            if grant.sid is not None:
                ended_at = connection.execute(END_OF_SESSION, {"of_sid": grant.sid}).scalar_one_or_none()
                if ended_at is not None:
                    connection.execute(REVOKE_GRANT, {"of_grant": grant.grant_id, "now": ended_at})

    def begin_with_token(self, grant: Grant, build_token_records: Minted) -> None:
        with self._engine.begin() as connection:
            connection.execute(SAVE_GRANT, _grant_row(grant))
            _save_tokens(connection, build_token_records)

    def redeem_code(
        self,
        code_hash: str,
        *,
        now: int,
        mint: Callable[[AuthorizationCode, Grant], Minted],
        reused: Callable[[Grant], None] = lambda _grant: None,
    ) -> bool:
        refusal: Exception | None = None
        with self._engine.begin() as connection:
            row = connection.execute(REDEEM_CODE, {"hash": code_hash, "now": now}).one_or_none()
            if row is None:
                spent = connection.execute(GRANT_OF_SPENT_CODE, {"hash": code_hash}).scalar_one_or_none()
                if spent is not None and (grant := _live_grant(connection, spent)) is not None:
                    connection.execute(REVOKE_GRANT, {"of_grant": spent, "now": now})
                    reused(grant)
                return False
            grant = _live_grant(connection, row.grant_id)
            if grant is None:
                return False
            try:
                build_token_records = mint(AuthorizationCode(**row._mapping), grant)
            except Exception as error:  # noqa: BLE001  raised again below, once the code is spent for good
                refusal = error
            else:
                _save_tokens(connection, build_token_records)
        if refusal is not None:
            raise refusal
        return True

    def rotate_refresh_token(
        self,
        token_hash: str,
        *,
        now: int,
        grace: int,
        mint: Callable[[RefreshToken, Grant], Minted],
        reused: Callable[[Grant], None] = lambda _grant: None,
    ) -> bool:
        with self._engine.begin() as connection:
            row = connection.execute(ROTATE, {"hash": token_hash, "now": now}).one_or_none()
            if row is None:
                return _handle_refresh_reuse(connection, token_hash, now, grace, mint, reused=reused)
            grant = _live_grant(connection, row.grant_id)
            if grant is None:
                return False
            build_token_records = mint(RefreshToken(**row._mapping), grant)
            _save_tokens(connection, build_token_records)
            successor = build_token_records.refresh_token and build_token_records.refresh_token.token_hash
            connection.execute(NAME_SUCCESSOR, {"hash": token_hash, "next": successor})
        return True

    def find_access_token(self, token_hash: str, *, now: int) -> tuple[AccessToken, Grant] | None:
        row = self._one(FIND_ACCESS, {"hash": token_hash, "now": now})
        return None if row is None else (AccessToken(**_own(row, _ACCESS)), _grant(of_prefix(row, _GRANT, OF_GRANT)))

    def find_refresh_token(self, token_hash: str, *, now: int) -> tuple[RefreshToken, Grant] | None:
        row = self._one(FIND_REFRESH, {"hash": token_hash, "now": now})
        return None if row is None else (RefreshToken(**_own(row, _REFRESH)), _grant(of_prefix(row, _GRANT, OF_GRANT)))


def _handle_refresh_reuse(
    connection: Connection,
    token_hash: str,
    now: int,
    grace: int,
    mint: Callable[[RefreshToken, Grant], Minted],
    *,
    reused: Callable[[Grant], None],
) -> bool:
    """A refresh token that cannot be rotated: an answer lost on its way, reuse, or simply no token of ours."""
    row = connection.execute(FIND_ANY_REFRESH, {"hash": token_hash}).one_or_none()
    if row is None or row.rotated_at is None:
        return False
    grant = _live_grant(connection, row.grant_id)
    if grant is None:
        return False
    unused = connection.execute(IS_UNUSED, {"hash": row.successor_hash}).one_or_none() is not None
    if unused and now - row.rotated_at <= grace:
        build_token_records = mint(RefreshToken(**_own(row, _REFRESH)), grant)
        if (
            build_token_records.refresh_token is not None
            and build_token_records.refresh_token.token_hash == row.successor_hash
        ):
            # The same tokens again; only an access token of another scope than the first time's is new.
            token = build_token_records.access_token
            if connection.execute(HAS_ACCESS_TOKEN, {"hash": token.token_hash}).one_or_none() is None:
                connection.execute(SAVE_ACCESS, values_of(token))
            return True
    connection.execute(REVOKE_GRANT, {"of_grant": grant.grant_id, "now": now})
    reused(grant)
    return False


def _save_tokens(connection: Connection, build_token_records: Minted) -> None:
    connection.execute(SAVE_ACCESS, values_of(build_token_records.access_token))
    if build_token_records.refresh_token is not None:
        connection.execute(SAVE_REFRESH, values_of(build_token_records.refresh_token))


def _live_grant(connection: Connection, grant_id: str) -> Grant | None:
    row = connection.execute(FIND_GRANT, {"of_grant": grant_id}).one_or_none()
    return None if row is None else _grant(row._mapping)


def _grant(columns: Mapping[Any, Any]) -> Grant:
    identity = columns["identity"]
    return Grant(**{**columns, "identity": None if identity is None else Identity.from_json(identity)})


def _grant_row(grant: Grant) -> dict[str, Any]:
    identity = grant.identity
    return values_of(grant) | {
        "subject": None if identity is None else identity.subject,
        "identity": None if identity is None else identity.to_json(),
    }


def _own(row: Any, columns: Sequence[Any]) -> dict[str, Any]:
    return {column.name: row._mapping[column.name] for column in columns}
