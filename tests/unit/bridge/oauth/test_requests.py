"""Tests of parameters, authorization requests and claims, without HTTP."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors.oauth import AuthorizationRejected, InvalidRequest, InvalidToken, MissingToken
from bridge.identity import Identity
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.authorization_checks import (
    check_authorization_request,
    check_claims,
    check_max_age,
    response_parameters,
)
from bridge.oauth.claims import CLAIMS_SUPPORTED, ClaimsPolicy
from bridge.oauth.endpoints import bearer_token
from bridge.oauth.parameters import Parameters, add_query, check_not_repeated, required, single_values
from tests.unit.bridge.oauth.test_clients import CLIENTS, HUB

ISSUER = "https://auth.example.org"
SENT = {
    "client_id": "hub",
    "redirect_uri": "https://hub.example.org/cb",
    "response_type": "code",
    "scope": "openid email",
    "code_challenge": "c" * 43,
    "code_challenge_method": "S256",
}
ALICE = Identity(
    subject="alice",
    username="Alice",
    name="Alice Liddell",
    given_name="Alice",
    family_name="Liddell",
    email="alice@example.org",
    groups=("staff",),
    attributes={"employeeNumber": ("42",)},
)


def checked(**changes: str) -> AuthorizationRequest:
    request, client = check_authorization_request({**SENT, **changes}.items(), CLIENTS, issuer=ISSUER)
    assert client.client_id == request.client_id
    return request


def userinfo_claims(identity: Identity, scope: str, *, email_verified: bool = True) -> dict[str, Any]:
    """Return userinfo claims without individually requested ones."""
    policy = ClaimsPolicy(email_verified=email_verified, pairwise_key=b"k" * 32)
    return policy.userinfo_claims(identity, scope, HUB, {})


def test_single_values_keeps_first_and_lists_repeated() -> None:
    values, repeated = single_values([("a", "1"), ("b", ""), ("a", "2"), ("c", ""), ("c", "3"), ("", "x")])
    assert values == {"a": "1", "c": "3", "": "x"}
    assert repeated == ("a", "c")


def test_known_repeated_parameters_are_rejected_row49_row50() -> None:
    check_not_repeated(("x", "y"), ("a", "b"))
    with pytest.raises(InvalidRequest, match="parameter b was sent more than once"):
        check_not_repeated(("x", "b"), ("a", "b"))


@pytest.mark.parametrize("parameters", [{}, {"a": ""}])
def test_required_parameter_must_have_a_value(parameters: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="parameter a is missing"):
        required(parameters, "a")


texts = st.text(max_size=30)


@given(
    request=st.builds(
        AuthorizationRequest,
        client_id=st.just("hub"),
        redirect_uri=st.just("https://hub.example.org/cb"),
        redirect_uri_was_sent=st.booleans(),
        scope=texts,
        state=st.none() | texts,
        nonce=st.none() | texts,
        code_challenge=st.none() | texts,
        prompt=st.lists(texts, max_size=2).map(tuple),
        max_age=st.none() | st.integers(0, 10**9),
        response_mode=st.sampled_from(["query", "form_post"]),
        ui_locales=st.none() | texts,
        login_hint=st.none() | texts,
        id_token_hint=st.none() | texts,
        acr_values=st.lists(texts, max_size=2).map(tuple),
        claims=st.dictionaries(st.sampled_from(["userinfo", "id_token"]), st.lists(texts, max_size=3)),
    )
)
def test_authorization_request_json_round_trip(request: AuthorizationRequest) -> None:
    assert AuthorizationRequest.from_json(request.to_json()) == request


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"state": "s", "nonce": "n"},
        {"prompt": "login consent", "max_age": "0"},
        {"scope": "openid x"},
        {"response_mode": "form_post", "ui_locales": "fr en", "acr_values": "a b"},
        {"login_hint": "alice", "id_token_hint": "a.b.c"},
        {"claims": '{"userinfo": {"email": {"essential": true}, "name": null}, "id_token": {"auth_time": null}}'},
    ],
)
def test_to_parameters_makes_an_equal_request(changes: dict[str, str]) -> None:
    request = checked(**changes)
    again, _ = check_authorization_request(request.to_parameters().items(), CLIENTS, issuer=ISSUER)
    assert again == request


@pytest.mark.parametrize(
    ("uri", "joined"),
    [
        ("https://a.example/cb", "https://a.example/cb?code=c"),
        ("https://a.example/cb?x=%2F&y", "https://a.example/cb?x=%2F&y&code=c"),
        ("org.example.app:/cb", "org.example.app:/cb?code=c"),
        ("http://[::1]:8000/cb", "http://[::1]:8000/cb?code=c"),
    ],
)
def test_add_query_keeps_the_existing_query(uri: str, joined: str) -> None:
    assert (
        add_query(uri, response_parameters({"code": "c"}, None, ISSUER))
        == f"{joined}&iss=https%3A%2F%2Fauth.example.org"
    )


@given(state=st.text())
def test_state_is_echoed_without_injection_row31(state: str) -> None:
    location = add_query("https://a.example/cb", response_parameters({"code": "c"}, state, ISSUER))
    assert location.isascii()
    assert location.isprintable()
    assert dict(parse_qsl(urlsplit(location).query, keep_blank_values=True)) == {
        "code": "c",
        "state": state,
        "iss": ISSUER,
    }


@pytest.mark.parametrize("text", ["-1", "1.5", "1e3", " 1", "1 ", "", "٣", "0x10", "1" * 10, "+1"])
def test_max_age_is_whole_seconds(text: str) -> None:
    with pytest.raises(InvalidRequest):
        check_max_age(Parameters({"max_age": text}))


@pytest.mark.parametrize("text", ["", "x", "[]", "1", "null", '"userinfo"', "{", '{"a":' * 2000, "1" * 4000 + "e9"])
def test_claims_parameter_must_be_an_object(text: str) -> None:
    with pytest.raises(InvalidRequest):
        check_claims(Parameters({"claims": text}))


@given(
    claims=st.recursive(st.none() | st.booleans() | texts, lambda inner: st.dictionaries(texts, inner), max_leaves=9)
)
def test_claims_parameter_yields_only_names(claims: Any) -> None:
    asked = check_claims(Parameters({"claims": json.dumps({"userinfo": claims, "id_token": claims, "other": claims})}))
    names = list(claims) if isinstance(claims, dict) else None
    assert asked["claims"] == ({} if names is None else {"userinfo": names, "id_token": names})


def test_error_response_has_state_and_issuer_row29() -> None:
    with pytest.raises(AuthorizationRejected) as raised:
        checked(prompt="none login", state="s")
    assert raised.value.redirect_uri == SENT["redirect_uri"]
    assert (raised.value.answer["state"], raised.value.answer["iss"]) == ("s", ISSUER)


@pytest.mark.parametrize(
    ("header", "body", "token"),
    [
        ("Bearer abc", (), "abc"),
        ("bearer  abc ", (), "abc"),
        ("Bearer a-._~+/9==", (), "a-._~+/9=="),
        (None, [("access_token", "abc"), ("other", "x")], "abc"),
        ("Basic eDp5", [("access_token", "abc")], "abc"),
    ],
)
def test_bearer_token_in_header_or_body_row56(header: str | None, body: list[tuple[str, str]], token: str) -> None:
    assert bearer_token(header, body) == token


@pytest.mark.parametrize("token", ["", "a b", "a\n", '"', "é", "=", "a=b", "a" * 600])
def test_malformed_bearer_token_is_rejected_row54(token: str) -> None:
    for header, body in ((f"Bearer {token}x\\", []), (None, [("access_token", token)])):
        with pytest.raises(InvalidToken):
            bearer_token(header, body)


def test_missing_and_multiple_bearer_tokens_differ_row54() -> None:
    for header in (None, "", "Basic eDp5"):
        with pytest.raises(MissingToken):
            bearer_token(header, [])
    with pytest.raises(InvalidRequest):
        bearer_token("Bearer a", [("access_token", "a")])


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        ("openid", {"sub"}),
        ("openid profile", {"sub", "preferred_username", "name", "given_name", "family_name"}),
        ("openid email", {"sub", "email", "email_verified"}),
        ("openid groups", {"sub", "groups"}),
    ],
)
def test_scope_limits_released_claims(scope: str, names: set[str]) -> None:
    claims = userinfo_claims(ALICE, scope)
    assert set(claims) == names
    assert names <= set(CLAIMS_SUPPORTED)
    assert "42" not in str(claims)


def test_unknown_claims_are_omitted_but_groups_are_empty() -> None:
    empty = Identity(subject="x", username="x")
    assert userinfo_claims(empty, "openid profile email groups") == {
        "sub": "x",
        "preferred_username": "x",
        "groups": [],
    }


def test_email_verified_is_a_setting() -> None:
    assert userinfo_claims(ALICE, "openid email", email_verified=False)["email_verified"] is False
