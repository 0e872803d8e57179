"""What was allowed, and the codes and tokens given out for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, delete, exists, func, insert, select, update

from bridge.identity import Identity
from bridge.store.database import NOW, Part, columns_of, labelled, of_prefix, values_of
from bridge.store.records import AccessToken, AuthorizationCode, ClientAccess, Grant, Minted, RefreshToken
from bridge.store.schema import access_tokens, codes, consents, grants, refresh_tokens

_CODE = columns_of(codes, AuthorizationCode)
_GRANT = columns_of(grants, Grant)
_ACCESS = columns_of(access_tokens, AccessToken)
_REFRESH = columns_of(refresh_tokens, RefreshToken)
OF_GRANT = "of_grant_"
HASH: BindParameter[str] = bindparam("hash")
GRANT_ID: BindParameter[str] = bindparam("of_grant")

SAVE_GRANT, SAVE_CODE = insert(grants), insert(codes)
SAVE_ACCESS, SAVE_REFRESH = insert(access_tokens), insert(refresh_tokens)
FIND_GRANT = select(*_GRANT).where(grants.c.grant_id == GRANT_ID, grants.c.revoked_at.is_(None))
REVOKE_GRANT = update(grants).where(grants.c.grant_id == GRANT_ID, grants.c.revoked_at.is_(None)).values(revoked_at=NOW)
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
FIND_ANY_REFRESH = select(*_REFRESH, refresh_tokens.c.rotated_at, refresh_tokens.c.successor_hash).where(
    refresh_tokens.c.token_hash == HASH
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
_OF_CLIENT = grants.c.client_id == bindparam("of_client")
REVOKE_ACCESS = (
    update(access_tokens)
    .where(
        access_tokens.c.token_hash == HASH,
        access_tokens.c.revoked_at.is_(None),
        exists().where(grants.c.grant_id == access_tokens.c.grant_id, _OF_CLIENT),
    )
    .values(revoked_at=NOW)
)
REVOKE_BY_REFRESH = (
    update(grants)
    .where(
        _OF_CLIENT,
        grants.c.revoked_at.is_(None),
        exists().where(refresh_tokens.c.token_hash == HASH, refresh_tokens.c.grant_id == grants.c.grant_id),
    )
    .values(revoked_at=NOW)
)
REVOKE_OF_CLIENT = update(grants).where(_OF_CLIENT, grants.c.revoked_at.is_(None)).values(revoked_at=NOW)
REVOKE_OF_CLIENT_AND_SUBJECT = REVOKE_OF_CLIENT.where(grants.c.subject == bindparam("of_subject"))
FORGET_CONSENT = delete(consents).where(
    consents.c.client_id == bindparam("of_client"), consents.c.subject == bindparam("of_subject")
)
_LIVE_TOKENS = (
    select(access_tokens.c.grant_id, access_tokens.c.expires_at)
    .where(access_tokens.c.expires_at > NOW, access_tokens.c.revoked_at.is_(None))
    .union_all(
        select(refresh_tokens.c.grant_id, refresh_tokens.c.expires_at).where(
            refresh_tokens.c.expires_at > NOW, refresh_tokens.c.rotated_at.is_(None)
        )
    )
    .subquery()
)
ACCESS_OF_SUBJECT = (
    select(
        grants.c.grant_id,
        grants.c.client_id,
        grants.c.scope,
        grants.c.created_at,
        func.max(_LIVE_TOKENS.c.expires_at).label("until"),
    )
    .join_from(grants, _LIVE_TOKENS, grants.c.grant_id == _LIVE_TOKENS.c.grant_id)
    .where(grants.c.subject == bindparam("of_subject"), grants.c.revoked_at.is_(None))
    .group_by(grants.c.grant_id, grants.c.client_id, grants.c.scope, grants.c.created_at)
    .order_by(grants.c.client_id, grants.c.created_at)
)
CONSENTED = select(consents.c.scope).where(
    consents.c.client_id == bindparam("of_client"), consents.c.subject == bindparam("of_subject")
)
SAVE_CONSENT = insert(consents)


class SqlGrants(Part):
    """`Grants`."""

    def begin_with_code(self, grant: Grant, code: AuthorizationCode) -> None:
        with self._engine.begin() as connection:
            connection.execute(SAVE_GRANT, _grant_row(grant))
            connection.execute(SAVE_CODE, values_of(code))

    def begin_with_token(self, grant: Grant, minted: Minted) -> None:
        with self._engine.begin() as connection:
            connection.execute(SAVE_GRANT, _grant_row(grant))
            _save_tokens(connection, minted)

    def redeem_code(self, code_hash: str, *, now: int, mint: Callable[[AuthorizationCode, Grant], Minted]) -> bool:
        refusal: Exception | None = None
        with self._engine.begin() as connection:
            row = connection.execute(REDEEM_CODE, {"hash": code_hash, "now": now}).one_or_none()
            if row is None:
                spent = connection.execute(GRANT_OF_SPENT_CODE, {"hash": code_hash}).scalar_one_or_none()
                if spent is not None:
                    connection.execute(REVOKE_GRANT, {"of_grant": spent, "now": now})
                return False
            grant = _live_grant(connection, row.grant_id)
            if grant is None:
                return False
            try:
                minted = mint(AuthorizationCode(**row._mapping), grant)
            except Exception as error:  # noqa: BLE001  raised again below, once the code is spent for good
                refusal = error
            else:
                _save_tokens(connection, minted)
        if refusal is not None:
            raise refusal
        return True

    def rotate_refresh_token(
        self, token_hash: str, *, now: int, grace: int, mint: Callable[[RefreshToken, Grant], Minted]
    ) -> bool:
        with self._engine.begin() as connection:
            row = connection.execute(ROTATE, {"hash": token_hash, "now": now}).one_or_none()
            if row is None:
                return _repeat_or_punish(connection, token_hash, now, grace, mint)
            grant = _live_grant(connection, row.grant_id)
            if grant is None:
                return False
            minted = mint(RefreshToken(**row._mapping), grant)
            _save_tokens(connection, minted)
            successor = minted.refresh_token and minted.refresh_token.token_hash
            connection.execute(NAME_SUCCESSOR, {"hash": token_hash, "next": successor})
        return True

    def find_access_token(self, token_hash: str, *, now: int) -> tuple[AccessToken, Grant] | None:
        row = self._one(FIND_ACCESS, {"hash": token_hash, "now": now})
        return None if row is None else (AccessToken(**_own(row, _ACCESS)), _grant(of_prefix(row, _GRANT, OF_GRANT)))

    def find_refresh_token(self, token_hash: str, *, now: int) -> tuple[RefreshToken, Grant] | None:
        row = self._one(FIND_REFRESH, {"hash": token_hash, "now": now})
        return None if row is None else (RefreshToken(**_own(row, _REFRESH)), _grant(of_prefix(row, _GRANT, OF_GRANT)))

    def revoke_access_token(self, token_hash: str, *, client_id: str, now: int) -> bool:
        return self._execute(REVOKE_ACCESS, {"hash": token_hash, "of_client": client_id, "now": now}) > 0

    def revoke_by_refresh_token(self, token_hash: str, *, client_id: str, now: int) -> bool:
        return self._execute(REVOKE_BY_REFRESH, {"hash": token_hash, "of_client": client_id, "now": now}) > 0

    def revoke_client_of_subject(self, client_id: str, subject: str, *, now: int) -> int:
        values = {"of_client": client_id, "of_subject": subject}
        with self._engine.begin() as connection:
            connection.execute(FORGET_CONSENT, values)
            return int(connection.execute(REVOKE_OF_CLIENT_AND_SUBJECT, values | {"now": now}).rowcount)

    def revoke_client(self, client_id: str, *, now: int) -> int:
        return self._execute(REVOKE_OF_CLIENT, {"of_client": client_id, "now": now})

    def access_of_subject(self, subject: str, *, now: int) -> Sequence[ClientAccess]:
        merged: dict[str, ClientAccess] = {}
        for row in self._all(ACCESS_OF_SUBJECT, {"of_subject": subject, "now": now}):
            known = merged.get(row.client_id)
            scopes = [*(known.scope.split() if known else ()), *row.scope.split()]
            merged[row.client_id] = ClientAccess(
                client_id=row.client_id,
                scope=" ".join(dict.fromkeys(scopes)),
                since=min(known.since, row.created_at) if known else row.created_at,
                until=max(known.until, row.until) if known else row.until,
            )
        return list(merged.values())

    def consented_scope(self, client_id: str, subject: str) -> str:
        row = self._one(CONSENTED, {"of_client": client_id, "of_subject": subject})
        return "" if row is None else str(row.scope)

    def remember_consent(self, client_id: str, subject: str, scope: str, *, now: int) -> None:
        values = {"of_client": client_id, "of_subject": subject}
        with self._engine.begin() as connection:
            known = connection.execute(CONSENTED, values).scalar_one_or_none() or ""
            connection.execute(FORGET_CONSENT, values)
            merged = " ".join(dict.fromkeys([*known.split(), *scope.split()]))
            row = {"client_id": client_id, "subject": subject, "scope": merged, "granted_at": now}
            connection.execute(SAVE_CONSENT, row)


def _repeat_or_punish(
    connection: Connection, token_hash: str, now: int, grace: int, mint: Callable[[RefreshToken, Grant], Minted]
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
        minted = mint(RefreshToken(**_own(row, _REFRESH)), grant)
        if minted.refresh_token is not None and minted.refresh_token.token_hash == row.successor_hash:
            # The same tokens again; only an access token of another scope than the first time's is new.
            token = minted.access_token
            if connection.execute(HAS_ACCESS_TOKEN, {"hash": token.token_hash}).one_or_none() is None:
                connection.execute(SAVE_ACCESS, values_of(token))
            return True
    connection.execute(REVOKE_GRANT, {"of_grant": grant.grant_id, "now": now})
    return False


def _save_tokens(connection: Connection, minted: Minted) -> None:
    connection.execute(SAVE_ACCESS, values_of(minted.access_token))
    if minted.refresh_token is not None:
        connection.execute(SAVE_REFRESH, values_of(minted.refresh_token))


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
