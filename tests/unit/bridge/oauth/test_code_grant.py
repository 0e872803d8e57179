"""All that a code is bound to."""

from __future__ import annotations

import pytest

from bridge.errors.oauth import InvalidGrant
from bridge.identity import Identity
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.grants.code import check_code_verifier, check_same_client, check_same_redirect_uri
from bridge.oauth.parameters import Parameters
from bridge.store import Grant
from tests.unit.bridge.oauth.test_clients import HUB

# RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
URI = "https://hub.example.org/cb"


def code(client_id: str = "hub", *, challenge: str | None = CHALLENGE, sent: bool = True) -> Grant:
    """What stands behind a code."""
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
    """All that has to hold before anything is given for the code."""
    check_same_client(grant, HUB)
    request = AuthorizationRequest.from_json(grant.request)
    check_same_redirect_uri(request, Parameters(parameters))
    check_code_verifier(request, Parameters(parameters))


def refusal(grant: Grant, **parameters: str) -> str:
    with pytest.raises(InvalidGrant) as raised:
        check(grant, parameters)
    assert raised.value.description == InvalidGrant.default_description, "the caller learns no reason"
    return raised.value.detail


def test_the_example_of_rfc_7636_passes() -> None:
    check(code(), {"redirect_uri": URI, "code_verifier": VERIFIER})


def test_another_clients_code_is_refused_row20() -> None:
    assert "another client" in refusal(code("cli"), redirect_uri=URI, code_verifier=VERIFIER)


def test_the_redirect_uri_has_to_be_repeated_if_it_was_sent_row7() -> None:
    assert "redirect_uri" in refusal(code(), code_verifier=VERIFIER)
    assert "redirect_uri" in refusal(code(), redirect_uri=URI + "/", code_verifier=VERIFIER)


def test_the_redirect_uri_may_be_left_out_or_right_if_it_was_not_sent_row7() -> None:
    for parameters in ({}, {"redirect_uri": URI}):
        check(code(sent=False), {**parameters, "code_verifier": VERIFIER})
    assert "redirect_uri" in refusal(code(sent=False), redirect_uri="https://evil.example/", code_verifier=VERIFIER)


@pytest.mark.parametrize(
    "verifier", ["", "short", VERIFIER[:-1], VERIFIER + "x", CHALLENGE, VERIFIER + "\n", "é" * 43, "a" * 129]
)
def test_a_wrong_verifier_is_refused_row12(verifier: str) -> None:
    assert "code_verifier" in refusal(code(), redirect_uri=URI, code_verifier=verifier)


def test_a_missing_verifier_is_refused_row12() -> None:
    assert "missing" in refusal(code(), redirect_uri=URI)


def test_a_verifier_without_a_challenge_is_refused_row13() -> None:
    assert "without" in refusal(code(challenge=None), redirect_uri=URI, code_verifier=VERIFIER)
    check(code(challenge=None), {"redirect_uri": URI})


def test_reasons_hold_no_secret_row73() -> None:
    details = [refusal(code(), redirect_uri=URI, code_verifier="v" * 43), refusal(code(), redirect_uri="https://x/")]
    assert not [detail for detail in details if "vvv" in detail or CHALLENGE in detail or VERIFIER in detail]
