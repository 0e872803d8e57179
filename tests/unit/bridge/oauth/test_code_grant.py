"""Checks of the authorization code grant: client, redirect_uri and code_verifier."""

from __future__ import annotations

import pytest

from bridge.errors.oauth import InvalidGrant
from bridge.identity import Identity
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.grants import check_code_verifier, check_same_client, check_same_redirect_uri
from bridge.oauth.parameters import Parameters
from bridge.store import Grant
from tests.unit.bridge.oauth.test_clients import HUB

# RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
URI = "https://hub.example.org/cb"


def code(client_id: str = "hub", *, challenge: str | None = CHALLENGE, sent: bool = True) -> Grant:
    """Return the grant of a code."""
    request = AuthorizationRequest(
        client_id=client_id,
        redirect_uri=URI,
        redirect_uri_was_sent=sent,
        scope="openid",
        state=None,
        nonce=None,
        code_challenge=challenge,
    )
    return Grant(
        grant_id="g",
        client_id=client_id,
        sid="s",
        identity=Identity(subject="alice", username="alice"),
        scope="openid",
        request=request.to_json(),
        auth_time=0,
        offline=False,
        created_at=0,
    )


def check(grant: Grant, parameters: dict[str, str]) -> None:
    """Run all checks of the grant."""
    check_same_client(grant, HUB)
    request = AuthorizationRequest.from_json(grant.request)
    check_same_redirect_uri(request, Parameters(parameters))
    check_code_verifier(request, Parameters(parameters))


def rejection(grant: Grant, **parameters: str) -> str:
    with pytest.raises(InvalidGrant) as raised:
        check(grant, parameters)
    assert raised.value.description == InvalidGrant.default_description, "the client gets no reason"
    return raised.value.detail


def test_example_of_rfc_7636_is_accepted() -> None:
    check(code(), {"redirect_uri": URI, "code_verifier": VERIFIER})


def test_code_of_other_client_is_rejected_row20() -> None:
    assert "another client" in rejection(code("cli"), redirect_uri=URI, code_verifier=VERIFIER)


def test_sent_redirect_uri_must_be_repeated_row7() -> None:
    assert "redirect_uri" in rejection(code(), code_verifier=VERIFIER)
    assert "redirect_uri" in rejection(code(), redirect_uri=URI + "/", code_verifier=VERIFIER)


def test_omitted_redirect_uri_is_optional_row7() -> None:
    for parameters in ({}, {"redirect_uri": URI}):
        check(code(sent=False), {**parameters, "code_verifier": VERIFIER})
    assert "redirect_uri" in rejection(code(sent=False), redirect_uri="https://evil.example/", code_verifier=VERIFIER)


@pytest.mark.parametrize(
    "verifier", ["", "short", VERIFIER[:-1], VERIFIER + "x", CHALLENGE, VERIFIER + "\n", "é" * 43, "a" * 129]
)
def test_wrong_verifier_is_rejected_row12(verifier: str) -> None:
    assert "code_verifier" in rejection(code(), redirect_uri=URI, code_verifier=verifier)


def test_missing_verifier_is_rejected_row12() -> None:
    assert "missing" in rejection(code(), redirect_uri=URI)


def test_verifier_without_challenge_is_rejected_row13() -> None:
    assert "without" in rejection(code(challenge=None), redirect_uri=URI, code_verifier=VERIFIER)
    check(code(challenge=None), {"redirect_uri": URI})


def test_reasons_contain_no_secret_row73() -> None:
    details = [
        rejection(code(), redirect_uri=URI, code_verifier="v" * 43),
        rejection(code(), redirect_uri="https://x/"),
    ]
    assert not [detail for detail in details if "vvv" in detail or CHALLENGE in detail or VERIFIER in detail]
