"""Tests of the provider metadata, the public keys and ID tokens that verify with them."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tests.http.conftest import MakeBridge
from tests.http.world import Running
from tests.support.bridge.actors import App, Browser
from tests.support.cas.scripted_cas import ALICE, ScriptedCas

DISCOVERY = "/.well-known/openid-configuration"
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest.fixture
def metadata(bridge: Running) -> dict[str, Any]:
    return bridge.wire.send("GET", DISCOVERY).json


@pytest.fixture
def jwks(bridge: Running, metadata: dict[str, Any]) -> dict[str, Any]:
    return bridge.wire.send("GET", metadata["jwks_uri"]).json


def verified(id_token: str, jwks: dict[str, Any]) -> jwt.Token:
    return jwt.decode(id_token, KeySet.import_key_set(jwks), algorithms=["RS256"])


def test_both_documents_satisfy_their_specifications(bridge: Running, metadata: dict[str, Any]) -> None:
    OpenIDProviderMetadata(metadata).validate()
    other = bridge.wire.send("GET", "/.well-known/oauth-authorization-server").json
    AuthorizationServerMetadata(other).validate()
    assert other == metadata


def test_metadata_matches_the_behaviour(metadata: dict[str, Any]) -> None:
    assert metadata["issuer"] == "https://auth.example.org"  # row 40
    assert metadata["code_challenge_methods_supported"] == ["S256"]  # row 15
    assert metadata["authorization_response_iss_parameter_supported"] is True  # row 30
    assert metadata["id_token_signing_alg_values_supported"] == ["RS256", "ES256"]  # row 62: no none, no HS256
    assert metadata["response_types_supported"] == ["code"]  # row 8
    assert metadata["grant_types_supported"] == ["authorization_code", "refresh_token", "client_credentials"]
    assert metadata["request_parameter_supported"] is metadata["request_uri_parameter_supported"] is False  # row 58
    assert {"client_secret_basic", "client_secret_post"} <= set(metadata["token_endpoint_auth_methods_supported"])


def test_every_endpoint_of_the_metadata_responds(bridge: Running, metadata: dict[str, Any]) -> None:
    for name, address in metadata.items():
        if name.endswith(("_endpoint", "_uri")):
            assert address.startswith("https://auth.example.org/")
            assert bridge.wire.send("GET", address).status != 404, name


@pytest.mark.parametrize(
    "path",
    [
        "/sign-in/.well-known/openid-configuration",
        "/sign-in/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/sign-in",
    ],
)
def test_issuer_with_path_is_discovered_row40(make_bridge: MakeBridge, path: str) -> None:
    bridge = make_bridge(issuer="https://www.example.org/sign-in")
    found = bridge.wire.send("GET", path).json
    assert found["issuer"] == "https://www.example.org/sign-in"
    assert found["token_endpoint"] == "https://www.example.org/sign-in/token"
    assert bridge.wire.send("GET", found["jwks_uri"]).json["keys"]


def test_public_documents_are_cacheable_for_any_origin_row66(bridge: Running) -> None:
    for path in (DISCOVERY, "/.well-known/jwks.json"):
        answer = bridge.wire.send("GET", path, headers={"Origin": "https://app.example.org"})
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Cache-Control"] == "public, max-age=3600"


def test_jwks_has_public_keys_only_row63(jwks: dict[str, Any]) -> None:
    keys = {key["alg"]: key for key in jwks["keys"]}
    assert {name: key["kty"] for name, key in keys.items()} == {"RS256": "RSA", "ES256": "EC"}
    for key in jwks["keys"]:
        assert not PRIVATE_MEMBERS & set(key)
        assert key["use"] == "sig"
    modulus = base64.urlsafe_b64decode(keys["RS256"]["n"] + "==")
    assert int.from_bytes(modulus, "big").bit_length() >= 2048


def test_id_token_verifies_with_its_claims_row63(
    bridge: Running, browser: Browser, hub: App, jwks: dict[str, Any]
) -> None:
    tokens = hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url()))).json
    token = verified(tokens["id_token"], jwks)
    (kid,) = [key["kid"] for key in jwks["keys"] if key["alg"] == "RS256"]
    assert token.header == {"alg": "RS256", "kid": kid, "typ": "JWT"}
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    now = int(bridge.clock())
    claims = token.claims
    assert {name: claims[name] for name in ("iss", "sub", "aud", "nonce", "at_hash")} == {
        "iss": "https://auth.example.org",
        "sub": "alice",
        "aud": "hub",
        "nonce": hub.nonce,
        "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
    }
    assert claims["iat"] == now
    assert now < claims["exp"] <= now + 3600
    assert now - 5 <= claims["auth_time"] <= now


def test_keys_survive_a_restart_row65(make_bridge: MakeBridge) -> None:
    one, other = make_bridge(), make_bridge()
    path = "/.well-known/jwks.json"
    assert one.wire.send("GET", path).json == other.wire.send("GET", path).json


def test_no_nonce_without_one_in_the_request(browser: Browser, hub: App, jwks: dict[str, Any]) -> None:
    tokens = hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url(nonce=None)))).json
    assert "nonce" not in verified(tokens["id_token"], jwks).claims


def test_auth_time_is_the_login_time_of_cas(
    bridge: Running, browser: Browser, hub: App, cas: ScriptedCas, jwks: dict[str, Any]
) -> None:
    cas.sign_in_as("alice", {**ALICE, "authenticationDate": ("2026-01-02T03:04:05.678Z[UTC]",)})
    first = hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url()))).json
    bridge.clock.advance(600)
    second = hub.redeem(hub.extract_code(browser.get(hub.authorization_url()))).json
    for tokens in (first, second):
        assert verified(tokens["id_token"], jwks).claims["auth_time"] == 1767323045


def test_auth_time_is_never_in_the_future(
    bridge: Running, browser: Browser, hub: App, cas: ScriptedCas, jwks: dict[str, Any]
) -> None:
    cas.sign_in_as("alice", {**ALICE, "authenticationDate": ("2999-01-01T00:00:00Z",)})
    tokens = hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url()))).json
    assert verified(tokens["id_token"], jwks).claims["auth_time"] == int(bridge.clock())


def test_forged_id_token_does_not_verify(browser: Browser, hub: App, jwks: dict[str, Any]) -> None:
    id_token = hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url()))).json["id_token"]
    head, payload, signature = id_token.split(".")
    forged = base64.urlsafe_b64encode(base64.urlsafe_b64decode(payload + "==").replace(b"alice", b"admin")).decode()
    with pytest.raises(JoseError):
        jws.deserialize_compact(
            f"{head}.{forged.rstrip('=')}.{signature}", KeySet.import_key_set(jwks), algorithms=["RS256"]
        )
