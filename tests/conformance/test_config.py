"""Config OP: the discovery document."""

from __future__ import annotations

from typing import Any

import requests
from joserfc.jwk import KeySet

from tests.conformance.conftest import World
from tests.conformance.modules import BY_HAND, IDPYOIDC, by
from tests.conformance.relying_party import RelyingParty

REQUIRED_MEMBERS = {
    *("issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "scopes_supported"),
    *("response_types_supported", "subject_types_supported", "id_token_signing_alg_values_supported"),
    *("token_endpoint_auth_methods_supported", "claims_supported"),
}


def document(address: str, world: World) -> dict[str, Any]:
    answer = requests.get(address, verify=str(world.certificate / "server.crt"), timeout=15)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    found: dict[str, Any] = answer.json()
    return found


@by(IDPYOIDC, BY_HAND)
def test_oidcc_discovery_endpoint_verification_row40(strict: RelyingParty, world: World) -> None:
    """All required members are present, the issuer is exact, endpoints use https, keys are public."""
    metadata = document(f"{world.issuer}/.well-known/openid-configuration", world)
    assert metadata.keys() >= REQUIRED_MEMBERS
    assert metadata["issuer"] == world.issuer == strict.metadata["issuer"]
    assert all(url.startswith("https://") for name, url in metadata.items() if name.endswith(("_endpoint", "_uri")))
    assert "openid" in metadata["scopes_supported"]
    assert "RS256" in metadata["id_token_signing_alg_values_supported"]
    keys = document(metadata["jwks_uri"], world)["keys"]
    assert len({key["kid"] for key in keys}) == len(keys) > 0
    assert all(not key.is_private for key in KeySet.import_key_set({"keys": keys}).keys)


@by(BY_HAND)
def test_metadata_lists_supported_features_only(world: World) -> None:
    metadata = document(f"{world.issuer}/.well-known/openid-configuration", world)
    assert metadata["request_parameter_supported"] is False
    assert metadata["request_uri_parameter_supported"] is False
    assert metadata["response_types_supported"] == ["code"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]


@by(BY_HAND)
def test_metadata_urls_serve_same_document(world: World) -> None:
    places = ("openid-configuration", "oauth-authorization-server")
    first, second = (document(f"{world.issuer}/.well-known/{place}", world) for place in places)
    assert first == second
