"""Sign-ins of the hub's users, in two tables of the hub's database.

JupyterHub's login cookie names the user only, so that it stays valid after a sign-out. Here, a cookie is valid as long
as its hub session has a row, and a row knows the provider's session (`sid`) that it belongs to. A provider's session
may have several hub sessions, and a hub session several sessions of the provider.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from jupyterhub import orm
from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, Unicode

from hub.auth.logout_token import LogoutToken

ROW_LIFETIME = 30 * 24 * 3600
"""Seconds for which a row is kept: a login cookie lasts 14 days, and the tokens of a lab 14 more."""
TOKEN_MEMORY = 600
"""Seconds for which a received logout token is remembered; it is valid for less (`logout_token.MAX_AGE`)."""


class SignIn(orm.Base):  # type: ignore[misc]  # JupyterHub carries no types
    """A sign-in: a hub session of a user, and the provider's session."""

    __tablename__ = "passerelle_sign_ins"
    id = Column(Integer, primary_key=True, autoincrement=True)
    user_id = Column(Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True)
    session_id = Column(Unicode(64), nullable=False, index=True)
    """JupyterHub's `session_id`, which the tokens of a lab carry as well."""
    provider_session = Column(Unicode(64), nullable=False, index=True)
    """Hash of issuer and `sid`; empty if the provider sends none."""
    provider_subject = Column(Unicode(64), nullable=False, index=True)
    """Hash of issuer and `sub`; empty for a method without ID tokens."""
    auth_state = Column(LargeBinary)
    """The user's encrypted state of this sign-in, kept while that of a later one replaces it."""
    created_at = Column(Integer, nullable=False, index=True)


class ReceivedLogoutToken(orm.Base):  # type: ignore[misc]  # JupyterHub carries no types
    """A logout token that the hub has received."""

    __tablename__ = "passerelle_logout_tokens"
    token_hash = Column(Unicode(64), primary_key=True)
    provider_session = Column(Unicode(64), nullable=False)
    expires_at = Column(Integer, nullable=False)


@dataclass(frozen=True)
class ProviderSession:
    """The session at the provider, as the hub stores it."""

    session: str = ""
    subject: str = ""


def fingerprint(issuer: str, value: str | None) -> str:
    """Return a hash of fixed length for a value of an issuer, or an empty text for None."""
    return "" if value is None else hashlib.sha256(f"{issuer}\0{value}".encode(errors="surrogatepass")).hexdigest()


def read_provider_session(token_response: Any) -> ProviderSession:
    """Return the session of an ID token, which came from the token endpoint itself (OIDC Core §3.1.3.7)."""
    try:
        claims = jwt.decode(token_response["id_token"], options={"verify_signature": False})
    except (KeyError, TypeError, jwt.PyJWTError):
        return ProviderSession()
    issuer, subject, sid = (claims.get(name) for name in ("iss", "sub", "sid"))
    sid = sid if isinstance(sid, str) and sid else None
    return ProviderSession(fingerprint(str(issuer), sid), fingerprint(str(issuer), str(subject)))


def open_sign_in(db: Any, user_id: int, session_id: str, provider: ProviderSession, *, now: float) -> bool:
    """Store a sign-in, and delete expired ones.

    Return False if the provider has ended the session meanwhile: its logout token overtook the sign-in.
    """
    ended = _query(db, ReceivedLogoutToken, provider_session=provider.session)
    if provider.session and ended.filter(ReceivedLogoutToken.expires_at >= now).first():
        return False
    db.query(SignIn).filter(SignIn.created_at < now - ROW_LIFETIME).delete()
    same = {"user_id": user_id, "session_id": session_id, "provider_session": provider.session}
    _query(db, SignIn, **same).delete()
    db.add(SignIn(**same, provider_subject=provider.subject, created_at=int(now)))
    db.commit()
    return True


def is_live(db: Any, user_id: int, session_id: str) -> bool:
    """Return whether a hub session of a user has not ended."""
    return _query(db, SignIn, user_id=user_id, session_id=session_id).first() is not None


def keep_auth_state(db: Any, orm_user: Any) -> None:
    """Keep the user's state with the sign-in that it belongs to, because a new sign-in replaces it.

    It belongs to the last sign-in. Its tokens are needed again when the new one ends first.
    """
    current = _newest(db, orm_user.id)
    if current is not None:
        current.auth_state = orm_user.encrypted_auth_state
        db.commit()


def find_by_session(db: Any, user_id: int, session_id: str) -> Sequence[SignIn]:
    """Return a hub session and all others of the same sessions at the provider."""
    own = _query(db, SignIn, user_id=user_id, session_id=session_id).all()
    sessions = {row.provider_session for row in own if row.provider_session}
    others = db.query(SignIn).filter(SignIn.provider_session.in_(sessions)).all()
    return [*own, *(row for row in others if row not in own)]


def find_by_token(db: Any, token: LogoutToken) -> Sequence[SignIn]:
    """Return the sign-ins that a logout token ends: those of its `sid`, else all of its `sub`."""
    subject = fingerprint(token.issuer, token.subject)
    if token.sid is None:
        return list(_query(db, SignIn, provider_subject=subject))
    rows = _query(db, SignIn, provider_session=fingerprint(token.issuer, token.sid))
    return [row for row in rows if not subject or row.provider_subject == subject]


def find_current(db: Any, user_id: int) -> Sequence[SignIn]:
    """Return the sign-ins of the provider's session that the user's stored tokens belong to."""
    current = _newest(db, user_id)
    if current is None or not current.provider_session:
        return []
    return list(_query(db, SignIn, user_id=user_id, provider_session=current.provider_session))


def remember_token(db: Any, token: LogoutToken, *, now: float) -> bool:
    """Remember a logout token; return False if it was received before (replay)."""
    db.query(ReceivedLogoutToken).filter(ReceivedLogoutToken.expires_at < now).delete()
    token_hash = fingerprint(token.issuer, token.token_id)
    if _query(db, ReceivedLogoutToken, token_hash=token_hash).first():
        return False
    session = fingerprint(token.issuer, token.sid)
    expires_at = int(now) + TOKEN_MEMORY
    db.add(ReceivedLogoutToken(token_hash=token_hash, provider_session=session, expires_at=expires_at))
    db.commit()
    return True


def end_sign_ins(db: Any, rows: Sequence[SignIn]) -> dict[int, bool]:
    """End hub sessions with the tokens and codes issued under them.

    Return the ids of their users, each with whether the user has another sign-in.
    """
    sessions = {(int(row.user_id), str(row.session_id)) for row in rows}
    newest = {user_id: _newest(db, user_id).id for user_id, _ in sessions}
    for user_id, session_id in sessions:
        for kind in (orm.APIToken, orm.OAuthCode):
            # One by one, because JupyterHub caches related objects.
            for issued in _query(db, kind, user_id=user_id, session_id=session_id):
                db.delete(issued)
        _query(db, SignIn, user_id=user_id, session_id=session_id).delete()
    db.flush()
    remaining = {user_id: _newest(db, user_id) for user_id in newest}
    for user_id, left in remaining.items():
        if left is not None and left.id != newest[user_id] and left.auth_state is not None:
            db.get(orm.User, user_id).encrypted_auth_state = left.auth_state
    db.commit()
    return {user_id: left is not None for user_id, left in remaining.items()}


def delete_sign_ins(db: Any, user_ids: Collection[int]) -> None:
    """Delete all sign-ins of users, whose tokens the caller revokes."""
    db.query(SignIn).filter(SignIn.user_id.in_(user_ids)).delete()
    db.commit()


def _newest(db: Any, user_id: int) -> Any:
    return _query(db, SignIn, user_id=user_id).order_by(SignIn.id.desc()).first()


def _query(db: Any, kind: Any, **values: Any) -> Any:
    return db.query(kind).filter_by(**values)
