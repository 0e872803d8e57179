"""Statements that list and revoke access, and on consents."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    ScalarSelect,
    Table,
    Update,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from bridge.identity import Identity
from bridge.store.database import NOW, SqlRepository
from bridge.store.records import ClientAccess
from bridge.store.schema import access_tokens, consents, grants, refresh_tokens

HASH: BindParameter[str] = bindparam("hash")
GRANT_ID: BindParameter[str] = bindparam("of_grant")


def revoke_where(*conditions: ColumnElement[bool]) -> Update:
    """Return a statement that revokes grants; it locks them in one order, so that two of it cannot deadlock."""
    locked = select(grants.c.grant_id).where(*conditions, grants.c.revoked_at.is_(None)).order_by(grants.c.grant_id)
    return (
        update(grants)
        .where(grants.c.grant_id.in_(locked.with_for_update(key_share=True)), grants.c.revoked_at.is_(None))
        .values(revoked_at=NOW)
    )


def _latest_expiry(table: Table, ended_at: str) -> ScalarSelect[int]:
    """Return the last expiry of a grant's valid tokens."""
    valid = (table.c.grant_id == grants.c.grant_id, table.c.expires_at > NOW, table.c[ended_at].is_(None))
    return select(func.max(table.c.expires_at)).where(*valid).scalar_subquery()


_OF_CLIENT = grants.c.client_id == bindparam("of_client")
REVOKE_GRANT = update(grants).where(grants.c.grant_id == GRANT_ID, grants.c.revoked_at.is_(None)).values(revoked_at=NOW)
REVOKE_ACCESS = (
    update(access_tokens)
    .where(
        access_tokens.c.token_hash == HASH,
        access_tokens.c.revoked_at.is_(None),
        exists().where(grants.c.grant_id == access_tokens.c.grant_id, _OF_CLIENT),
    )
    .values(revoked_at=NOW)
)
_GRANT_OF_REFRESH = select(refresh_tokens.c.grant_id).where(refresh_tokens.c.token_hash == HASH).scalar_subquery()
REVOKE_BY_REFRESH = (
    update(grants)
    .where(grants.c.grant_id == _GRANT_OF_REFRESH, grants.c.revoked_at.is_(None), _OF_CLIENT)
    .values(revoked_at=NOW)
)
REVOKE_OF_CLIENT = revoke_where(_OF_CLIENT)
REVOKE_OF_CLIENT_AND_SUBJECT = revoke_where(_OF_CLIENT, grants.c.subject == bindparam("of_subject"))
REVOKE_OF_SUBJECT = revoke_where(grants.c.subject == bindparam("of_subject"))
ACCESS_OF_SUBJECT = (
    select(
        grants.c.client_id,
        grants.c.scope,
        grants.c.request,
        grants.c.created_at,
        _latest_expiry(access_tokens, "revoked_at").label("access_until"),
        _latest_expiry(refresh_tokens, "rotated_at").label("refresh_until"),
    )
    .where(grants.c.subject == bindparam("of_subject"), grants.c.revoked_at.is_(None))
    .order_by(grants.c.client_id, grants.c.created_at)
)
# A full scan, for a command: only the identity contains the username.
USERS_OF_GRANTS = select(grants.c.identity).where(grants.c.revoked_at.is_(None), grants.c.identity.is_not(None))
_CONSENT = (consents.c.client_id == bindparam("of_client"), consents.c.subject == bindparam("of_subject"))
FIND_CONSENT = select(consents.c.scope).where(*_CONSENT)
LOCK_CONSENT = update(consents).where(*_CONSENT).values(granted_at=NOW).returning(consents.c.scope)
WIDEN_CONSENT = update(consents).where(*_CONSENT).values(scope=bindparam("wider"))
DELETE_CONSENT = delete(consents).where(*_CONSENT)
DELETE_CONSENTS_TO_CLIENT = delete(consents).where(consents.c.client_id == bindparam("of_client"))
SAVE_CONSENT = insert(consents)


class GrantRevocation(SqlRepository):
    """The half of `Grants` that issues nothing."""

    def revoke_access_token(self, token_hash: str, *, client_id: str, now: int) -> bool:
        """Revoke one access token of this client; return False if it has none such."""
        return self._execute(REVOKE_ACCESS, {"hash": token_hash, "of_client": client_id, "now": now}) > 0

    def revoke_by_refresh_token(self, token_hash: str, *, client_id: str, now: int) -> bool:
        """Revoke the grant of any of this client's refresh tokens; return False if it has none such."""
        return self._execute(REVOKE_BY_REFRESH, {"hash": token_hash, "of_client": client_id, "now": now}) > 0

    def revoke_client_of_subject(self, client_id: str, subject: str, *, now: int) -> int:
        """Revoke a user's grants to a client, and the consent; return the number of grants."""
        values = {"of_client": client_id, "of_subject": subject}
        with self._engine.begin() as connection:
            connection.execute(DELETE_CONSENT, values)
            return int(connection.execute(REVOKE_OF_CLIENT_AND_SUBJECT, values | {"now": now}).rowcount)

    def revoke_subject(self, subject: str, *, now: int) -> int:
        """Revoke a user's grants to all clients, offline access included; return their number."""
        return self._execute(REVOKE_OF_SUBJECT, {"of_subject": subject, "now": now})

    def find_subjects(self, username: str) -> Sequence[str]:
        """Return the subjects of active grants whose user has this name, ignoring case."""
        identities = [Identity.from_json(row.identity) for row in self._all(USERS_OF_GRANTS, {})]
        return sorted({each.subject for each in identities if each.username.lower() == username.lower()})

    def revoke_client(self, client_id: str, *, now: int) -> int:
        """Revoke all grants and consents of a client; return the number of grants."""
        with self._engine.begin() as connection:
            # A later client of the same name needs a consent of its own.
            connection.execute(DELETE_CONSENTS_TO_CLIENT, {"of_client": client_id})
            return int(connection.execute(REVOKE_OF_CLIENT, {"of_client": client_id, "now": now}).rowcount)

    def list_client_access(self, subject: str, *, now: int) -> Sequence[ClientAccess]:
        """Return the clients that have access to a user's data now."""
        merged: dict[str, ClientAccess] = {}
        for row in self._all(ACCESS_OF_SUBJECT, {"of_subject": subject, "now": now}):
            until = max(row.access_until or 0, row.refresh_until or 0)
            if until:
                known = merged.get(row.client_id)
                merged[row.client_id] = ClientAccess(
                    client_id=row.client_id,
                    scope=merge_scopes(known.scope if known else "", row.scope),
                    requests=(*(known.requests if known else ()), row.request),
                    since=known.since if known else row.created_at,
                    until=max(known.until, until) if known else until,
                )
        return list(merged.values())

    def consented_scope(self, client_id: str, subject: str) -> str:
        """Return the scope that a user consented to for a client; empty for none."""
        row = self._one(FIND_CONSENT, {"of_client": client_id, "of_subject": subject})
        return "" if row is None else str(row.scope)

    def add_consent(self, client_id: str, subject: str, scope: str, *, now: int) -> None:
        """Add a scope to a user's consent for a client."""
        values = {"of_client": client_id, "of_subject": subject, "now": now}
        while True:
            with suppress(IntegrityError):  # the user consented in another tab at the same time
                return self._add_consent(values, scope)

    def _add_consent(self, values: dict[str, Any], scope: str) -> None:
        with self._engine.begin() as connection:
            known = connection.execute(LOCK_CONSENT, values).scalar_one_or_none()
            if known is not None:
                connection.execute(WIDEN_CONSENT, values | {"wider": merge_scopes(known, scope)})
                return
            row = {"client_id": values["of_client"], "subject": values["of_subject"], "granted_at": values["now"]}
            connection.execute(SAVE_CONSENT, row | {"scope": merge_scopes("", scope)})


def merge_scopes(*scopes: str) -> str:
    """Return the union of several scopes, in the order of first occurrence."""
    return " ".join(dict.fromkeys(value for scope in scopes for value in scope.split()))
