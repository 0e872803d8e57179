"""The token endpoint: client authentication, parameters and errors (RFC 6749 §2.3, §3.2, §5)."""

from __future__ import annotations

import base64
import re
from urllib.parse import quote_plus, urlencode

import pytest

from tests.http.world import HUB_SECRET, Running
from tests.support.bridge.actors import FORM, App, Browser, Response

ENCODED = f"hub:{quote_plus(HUB_SECRET)}"


@pytest.fixture
def code(browser: Browser, hub: App) -> str:
    return hub.extract_code(browser.sign_in(hub.authorization_url()))


def test_token_response_has_specified_members(hub: App, code: str) -> None:
    answer = hub.redeem(code)
    assert set(answer.json) == {"access_token", "token_type", "expires_in", "scope", "id_token"}
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["scope"] == "openid profile email groups"
    assert answer.json["expires_in"] <= 3600  # row 74


def test_token_endpoint_is_not_cached_row41(hub: App, code: str) -> None:
    for answer in (hub.redeem(code), hub.redeem(code), hub.redeem(code, client_secret="wrong")):
        assert answer.headers["Cache-Control"] == "no-store"


def test_basic_credentials_are_form_decoded_row46(hub: App, code: str) -> None:
    assert hub.redeem(code, client_id=None, client_secret=None, basic=ENCODED).status == 200


def test_basic_with_client_id_in_body_is_accepted(hub: App, code: str) -> None:
    assert hub.redeem(code, client_secret=None, basic=ENCODED).status == 200


def test_public_client_needs_only_client_id(browser: Browser, cli: App) -> None:
    code = cli.extract_code(browser.sign_in(cli.authorization_url()))
    assert cli.redeem(code).status == 200


UNAUTHENTICATED = [
    ("row42-unknown-client", None, {"client_id": "unregistered"}),
    ("row42-wrong-secret", None, {"client_secret": "wrong"}),
    ("row42-no-secret", None, {"client_secret": None}),
    ("row42-empty-secret", None, {"client_secret": ""}),
    ("row42-longer-secret", None, {"client_secret": HUB_SECRET + "x"}),
    ("row42-no-client", None, {"client_id": None, "client_secret": None}),
    ("row45-public-client-with-secret", None, {"client_id": "cli"}),
    ("row45-non-ascii-secret", None, {"client_secret": "gehëim☃"}),
    ("row45-nul-secret", None, {"client_secret": "\x00"}),
    ("basic-wrong", "hub:wrong", {"client_id": None, "client_secret": None}),
    ("basic-unknown", "unregistered:x", {"client_id": None, "client_secret": None}),
    ("basic-empty-secret", "hub:", {"client_id": None, "client_secret": None}),
    ("basic-empty", ":", {"client_id": None, "client_secret": None}),
    ("basic-without-colon", "hub", {"client_id": None, "client_secret": None}),
    ("basic-not-encoded", f"hub:{HUB_SECRET}", {"client_id": None, "client_secret": None}),
    ("row45-basic-public-with-secret", "cli:secret", {"client_id": None, "client_secret": None}),
    ("row45-basic-non-ascii", "hüb:gehëim", {"client_id": None, "client_secret": None}),
]


@pytest.mark.parametrize(
    ("basic", "changes"), [pytest.param(basic, changes, id=name) for name, basic, changes in UNAUTHENTICATED]
)
def test_unauthenticated_clients_get_same_error_row44(
    hub: App, code: str, basic: str | None, changes: dict[str, str | None]
) -> None:
    answer = hub.redeem(code, basic=basic, **changes)
    assert answer.status == 401
    assert answer.json == {
        "error": "invalid_client",
        "error_description": "Client authentication failed: check client_id and client_secret.",
    }
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="')
    assert hub.redeem(code).status == 200, "the code is still valid"


@pytest.mark.parametrize(
    "header",
    ["Basic", "Basic ", "Basic é", "Basic !!!!", "Basic /w==", "Bearer x", "Digest username=hub", "Negotiate", "", "x"],
)
def test_malformed_authorization_header_is_401(hub: App, header: str) -> None:
    body = urlencode({"grant_type": "authorization_code", "code": "x"})
    answer = hub.wire.send("POST", "/token", headers=FORM | {"Authorization": header}, body=body)
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")


def test_two_authentication_methods_are_rejected_row43(hub: App, code: str) -> None:
    answer = hub.redeem(code, basic=ENCODED)
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")


def test_two_client_ids_are_rejected_row43(hub: App, code: str) -> None:
    answer = hub.redeem(code, client_id="portal", client_secret=None, basic=ENCODED)
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("name", ["grant_type", "code", "redirect_uri", "client_id", "client_secret", "code_verifier"])
def test_repeated_parameter_is_rejected_row49(hub: App, code: str, name: str) -> None:
    for value in ("other", ""):
        answer = hub.redeem(code, (name, value))
        assert (answer.status, answer.json["error"]) == (400, "invalid_request")
        assert name in answer.json["error_description"]


def test_unknown_parameters_are_ignored_row50(hub: App, code: str) -> None:
    assert hub.redeem(code, ("resource", "a"), ("resource", "b"), audience="x").status == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"grant_type": None}, "invalid_request", id="row51-no-grant-type"),
        pytest.param({"grant_type": ""}, "invalid_request", id="row51-empty-grant-type"),
        pytest.param({"code": None}, "invalid_request", id="no-code"),
        pytest.param({"grant_type": "password"}, "unsupported_grant_type", id="row8-password"),
        pytest.param({"grant_type": "implicit"}, "unsupported_grant_type", id="row8-implicit"),
        pytest.param({"grant_type": "refresh_token"}, "unauthorized_client", id="refresh-token"),
        pytest.param({"grant_type": "client_credentials"}, "unauthorized_client", id="client-credentials"),
        pytest.param({"grant_type": 'x"\\\x00ö'}, "unsupported_grant_type", id="odd-characters"),
        pytest.param({"code": "unknown"}, "invalid_grant", id="unknown-code"),
        pytest.param({"code": '"\\\x00ö' * 2000}, "invalid_grant", id="odd-code"),
    ],
)
def test_token_errors_have_specified_codes(hub: App, code: str, changes: dict[str, str | None], error: str) -> None:
    answer = hub.redeem(**{"code": code, **changes})
    assert (answer.status, answer.json["error"]) == (400, error)
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", answer.json["error_description"])  # row 57
    assert hub.redeem(code).status == 200


def _query(hub: App, code: str, *in_query: str) -> Response:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": hub.redirect_uri,
        "client_id": "hub",
        "client_secret": HUB_SECRET,
        "code_verifier": hub.verifier,
    }
    query = urlencode({name: form.pop(name) for name in in_query})
    return hub.wire.send("POST", f"/token?{query}", headers=FORM, body=urlencode(form))


@pytest.mark.parametrize(
    ("in_query", "error"),
    [(["client_id", "client_secret"], "invalid_client"), (["client_secret"], "invalid_client")]
    + [([name], "invalid_request") for name in ("grant_type", "code")]
    + [([name], "invalid_grant") for name in ("redirect_uri", "code_verifier")],
)
def test_query_parameters_are_ignored_row47(hub: App, code: str, in_query: list[str], error: str) -> None:
    assert _query(hub, code, *in_query).json["error"] == error


@pytest.mark.parametrize("accept", ["*/*", "application/json", None])
def test_get_is_405_in_json_row48(bridge: Running, accept: str | None) -> None:
    answer = bridge.wire.send(
        "GET", "/token?grant_type=authorization_code", headers={"Accept": accept} if accept else {}
    )
    assert answer.status == 405
    assert "POST" in answer.headers["Allow"]
    assert answer.json["error"] == "invalid_request"


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", None, "ü"])
def test_other_content_type_is_400_row48(hub: App, code: str, kind: str | None) -> None:
    body = '{"grant_type": "authorization_code", "code": "x"}'
    answer = hub.wire.send("POST", "/token", headers={"Content-Type": kind} if kind else {}, body=body)
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")


def test_charset_in_content_type_is_accepted(hub: App, code: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    body = urlencode({"grant_type": "authorization_code", "client_id": "hub", "client_secret": HUB_SECRET})
    assert "code is missing" in hub.wire.send("POST", "/token", headers=headers, body=body).text


def test_large_body_is_413_in_json(hub: App) -> None:
    answer = hub.request_token([("grant_type", "a" * 100_000)])
    assert answer.status == 413
    assert answer.json["error"] == "invalid_request"


def test_token_endpoint_allows_no_other_origin_row66(hub: App, code: str) -> None:
    origin = {"Origin": "https://evil.example"}
    credentials = {"Authorization": "Basic " + base64.b64encode(ENCODED.encode()).decode()}
    for path in ("/token", "/userinfo", "/authorize"):
        answer = hub.wire.send("POST", path, headers=FORM | origin | credentials, body="grant_type=x")
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_no_id_token_without_openid_scope_row53(browser: Browser, old: App) -> None:
    code = old.extract_code(browser.sign_in(old.authorization_url(scope="profile")))
    tokens = old.redeem(code).json
    assert tokens["scope"] == "profile"
    assert "id_token" not in tokens
