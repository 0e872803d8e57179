"""What the provider says of itself: OIDC Discovery §3 and RFC 8414 §2, one document for both."""

from __future__ import annotations

from typing import Any

from bridge.oauth.claims import CLAIMS_SUPPORTED
from bridge.oauth.keys import ALGORITHM
from bridge.settings.model import SCOPES


def provider_metadata(issuer: str) -> dict[str, Any]:
    """Every URL comes from the configured issuer, none from a request."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "claims_supported": list(CLAIMS_SUPPORTED),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }
