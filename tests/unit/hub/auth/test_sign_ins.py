"""Sign-ins in the hub's database."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import jwt
import pytest
from jupyterhub import orm

from hub.auth.logout_token import LogoutToken
from hub.auth.sign_ins import (
    ROW_LIFETIME,
    TOKEN_MEMORY,
    ProviderSession,
    delete_sign_ins,
    end_sign_ins,
    find_by_session,
    find_by_token,
    find_current,
    fingerprint,
    is_live,
    keep_auth_state,
    open_sign_in,
    read_provider_session,
    remember_token,
)

ISSUER, NOW = "https://auth.example.org", 1_800_000_000.0


def provider(sid: str | None = None, sub: str | None = None) -> ProviderSession:
    return ProviderSession(fingerprint(ISSUER, sid), fingerprint(ISSUER, sub))


def token(sid: str | None = None, sub: str | None = None, *, issuer: str = ISSUER, jti: str = "one") -> LogoutToken:
    return LogoutToken(issuer, jti, sub, sid)


@pytest.fixture
def db() -> Any:
    session = orm.new_session_factory("sqlite:///:memory:")()
    session.add_all([orm.User(name="alice"), orm.User(name="bob"), orm.OAuthClient(identifier="lab")])
    session.commit()
    yield session
    session.close()
    session.get_bind().dispose()


def user(db: Any, name: str = "alice") -> Any:
    return orm.User.find(db, name)


def sign_in(db: Any, session_id: str, sid: str | None, *, name: str = "alice", state: bytes = b"") -> None:
    """Sign in as JupyterHub does: the user's state is replaced, and the lab gets a token."""
    person = user(db, name)
    keep_auth_state(db, person)
    person.encrypted_auth_state = state
    assert open_sign_in(db, person.id, session_id, provider(sid, name), now=NOW)
    db.add(orm.APIToken(user_id=person.id, session_id=session_id, client_id="lab", hashed=uuid4().hex, prefix="x"))
    db.add(orm.OAuthCode(user_id=person.id, session_id=session_id, client_id="lab", code=uuid4().hex))
    db.commit()


def issued(db: Any) -> set[str]:
    kept = {one.session_id for one in db.query(orm.APIToken)}
    assert kept == {one.session_id for one in db.query(orm.OAuthCode)}
    return kept


def test_logout_token_ends_every_hub_session_of_its_sid(db: Any) -> None:
    sign_in(db, "s1", "a")
    sign_in(db, "s2", "a")
    sign_in(db, "s3", "b")
    assert end_sign_ins(db, find_by_token(db, token("a"))) == {user(db).id: True}
    assert [is_live(db, user(db).id, name) for name in ("s1", "s2", "s3")] == [False, False, True]
    assert issued(db) == {"s3"}


def test_logout_token_with_sub_only_ends_all_sign_ins_of_the_user(db: Any) -> None:
    sign_in(db, "s1", "a")
    sign_in(db, "s2", "b")
    sign_in(db, "s3", "c", name="bob")
    assert end_sign_ins(db, find_by_token(db, token(sub="alice"))) == {user(db).id: False}
    assert issued(db) == {"s3"}


def test_logout_token_of_another_subject_or_issuer_ends_nothing(db: Any) -> None:
    sign_in(db, "s1", "a")
    assert find_by_token(db, token("a", "bob")) == []
    assert find_by_token(db, token("a", issuer="https://other.example.org")) == []
    assert find_by_token(db, token("other")) == []


def test_hub_session_belongs_to_one_user(db: Any) -> None:
    """One browser keeps its session id when another user signs in."""
    sign_in(db, "s1", "a")
    sign_in(db, "s1", "b", name="bob")
    end_sign_ins(db, find_by_token(db, token("a")))
    assert not is_live(db, user(db).id, "s1")
    assert is_live(db, user(db, "bob").id, "s1")


def test_hub_session_ends_with_any_of_its_provider_sessions(db: Any) -> None:
    sign_in(db, "s1", "a")
    sign_in(db, "s1", "b")
    end_sign_ins(db, find_by_token(db, token("a")))
    assert not is_live(db, user(db).id, "s1")
    assert find_by_token(db, token("b")) == []


def test_sign_out_at_the_hub_finds_the_same_sign_in(db: Any) -> None:
    sign_in(db, "s1", "a")
    sign_in(db, "s2", "a")
    sign_in(db, "s3", "b")
    assert {row.session_id for row in find_by_session(db, user(db).id, "s1")} == {"s1", "s2"}


def test_sessions_without_sid_are_independent(db: Any) -> None:
    sign_in(db, "s1", None)
    sign_in(db, "s2", None)
    assert {row.session_id for row in find_by_session(db, user(db).id, "s1")} == {"s1"}


def test_stored_tokens_change_to_those_of_the_remaining_sign_in(db: Any) -> None:
    """Otherwise the next revalidation would use revoked tokens and end the remaining one too."""
    sign_in(db, "s1", "a", state=b"tokens of a")
    sign_in(db, "s2", "b", state=b"tokens of b")
    end_sign_ins(db, find_by_token(db, token("b")))
    assert user(db).encrypted_auth_state == b"tokens of a"


def test_stored_tokens_stay_when_an_older_sign_in_ends(db: Any) -> None:
    sign_in(db, "s1", "a", state=b"tokens of a")
    sign_in(db, "s2", "b", state=b"tokens of b")
    end_sign_ins(db, find_by_token(db, token("a")))
    assert user(db).encrypted_auth_state == b"tokens of b"


def test_refreshed_tokens_are_kept_with_their_sign_in(db: Any) -> None:
    sign_in(db, "s1", "a", state=b"tokens of a")
    user(db).encrypted_auth_state = b"refreshed tokens of a"
    sign_in(db, "s2", "b", state=b"tokens of b")
    end_sign_ins(db, find_by_token(db, token("b")))
    assert user(db).encrypted_auth_state == b"refreshed tokens of a"


def test_current_sign_in_is_the_last_one(db: Any) -> None:
    sign_in(db, "s1", "a")
    sign_in(db, "s2", "b")
    sign_in(db, "s1", "a")
    assert [row.session_id for row in find_current(db, user(db).id)] == ["s1"]


def test_replayed_logout_token_is_recognised(db: Any) -> None:
    assert remember_token(db, token("a"), now=NOW)
    assert not remember_token(db, token("a"), now=NOW + 1)
    assert remember_token(db, token("a", issuer="https://other.example.org"), now=NOW)
    assert remember_token(db, token("a"), now=NOW + TOKEN_MEMORY + 1), "the memory is bounded"


def test_sign_in_after_its_logout_token_is_denied(db: Any) -> None:
    remember_token(db, token("a"), now=NOW)
    assert not open_sign_in(db, user(db).id, "s1", provider("a"), now=NOW)
    assert open_sign_in(db, user(db).id, "s2", provider("b"), now=NOW)


def test_logout_token_denies_sign_ins_for_limited_time(db: Any) -> None:
    """A provider that revokes one application keeps the session, whose `sid` the next sign-in has again."""
    remember_token(db, token("a"), now=NOW)
    assert open_sign_in(db, user(db).id, "s1", provider("a"), now=NOW + TOKEN_MEMORY + 1)


def test_old_sign_ins_are_deleted(db: Any) -> None:
    sign_in(db, "s1", "a")
    assert open_sign_in(db, user(db).id, "s2", provider("b"), now=NOW + ROW_LIFETIME + 1)
    assert not is_live(db, user(db).id, "s1")


def test_deleted_user_has_no_sign_ins(db: Any) -> None:
    sign_in(db, "s1", "a")
    sign_in(db, "s2", "b", name="bob")
    db.delete(user(db))
    db.commit()
    assert find_by_token(db, token("a")) == []
    delete_sign_ins(db, [user(db, "bob").id])
    assert find_by_token(db, token("b")) == []


def test_provider_session_is_read_from_the_id_token() -> None:
    claims = {"iss": ISSUER, "sub": "alice", "sid": "a"}
    response = {"id_token": jwt.encode(claims, "x" * 32, algorithm="HS256")}
    assert read_provider_session(response) == provider("a", "alice")


@pytest.mark.parametrize("response", [None, {}, {"id_token": None}, {"id_token": "text"}], ids=repr)
def test_response_without_id_token_has_no_provider_session(response: Any) -> None:
    assert read_provider_session(response) == ProviderSession()
