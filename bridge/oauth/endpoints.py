"""The endpoints that clients call: token, userinfo, introspection, revocation, provider metadata.

Each endpoint takes the parameters of a form body and the Authorization header, and returns the response.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_plus

from bridge.errors.oauth import (
    InsufficientScope,
    InvalidClient,
    InvalidGrant,
    InvalidRequest,
    InvalidToken,
    MissingToken,
    OAuthError,
)
from bridge.log import bind_log_context
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.claims import CLAIMS_SUPPORTED
from bridge.oauth.clients import Client, ClientRegistry, hash_secret
from bridge.oauth.grants import GRANTS
from bridge.oauth.keys import ALGORITHMS
from bridge.oauth.parameters import Parameters, check_not_repeated, required, single_values
from bridge.oauth.provider_context import ProviderContext
from bridge.settings.client import SCOPES
from bridge.store import AccessToken, Grant, fingerprint

CLIENT_PARAMETERS = ("client_id", "client_secret")
TOKEN_PARAMETERS = (
    *("grant_type", "code", "redirect_uri", "code_verifier", "scope", "refresh_token"),
    *CLIENT_PARAMETERS,
)
INTROSPECTION_PARAMETERS = ("token", "token_type_hint", *CLIENT_PARAMETERS)
SECRET_METHODS = ("client_secret_basic", "client_secret_post")
BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,512}=*")

Pairs = Iterable[tuple[str, str]]


def token(provider: ProviderContext, body: Pairs, authorization_header: str | None) -> tuple[str, dict[str, Any]]:
    """Return the client_id and the token response (RFC 6749 §5.1), or raise an OAuthError (§5.2)."""
    parameters, client = _authenticated(provider, body, authorization_header, TOKEN_PARAMETERS)
    grant_type = required(parameters, "grant_type")
    if grant_type not in GRANTS:
        raise OAuthError(f"Supported values of grant_type: {', '.join(GRANTS)}.", code="unsupported_grant_type")
    if grant_type not in client.grant_types:
        raise OAuthError(f"This client is not registered for grant_type={grant_type}.", code="unauthorized_client")
    try:
        return client.client_id, GRANTS[grant_type](provider, client, parameters)
    except InvalidGrant as error:
        error.detail = f"client {client.client_id}: {error.detail}"
        raise


def userinfo(provider: ProviderContext, body: Pairs, authorization_header: str | None) -> dict[str, Any]:
    """Return the userinfo claims (OIDC Core §5.3), or raise an OAuthError (RFC 6750 §3.1)."""
    access_token, grant, client = _find_bearer_token(provider, body, authorization_header)
    if grant.identity is None or "openid" not in access_token.scope.split():
        raise InsufficientScope("The access token does not have the scope openid.")
    # A token with reduced scope does not include claims requested by name.
    is_whole = access_token.scope == grant.scope
    requested = AuthorizationRequest.from_json(grant.request).claims if is_whole else {}
    return provider.claims.userinfo_claims(grant.identity, access_token.scope, client, requested)


def username(provider: ProviderContext, authorization_header: str | None) -> str:
    """Return the user name, the claim `preferred_username` of the scope profile."""
    access_token, grant, client = _find_bearer_token(provider, (), authorization_header)
    if grant.identity is None or "profile" not in _registered_scopes(client, access_token.scope):
        raise InsufficientScope("The access token does not have the scope profile.")
    return grant.identity.username


def introspection(provider: ProviderContext, body: Pairs, authorization_header: str | None) -> dict[str, Any]:
    """Return the introspection response (RFC 7662 §2.2).

    Tokens of other clients are reported as inactive. Only a client with a secret may introspect.
    """
    parameters, client = _authenticated(provider, body, authorization_header, INTROSPECTION_PARAMETERS)
    if client.is_public:
        raise OAuthError("A client without a secret cannot introspect tokens.", code="unauthorized_client")
    token_hash, now = fingerprint(required(parameters, "token")), provider.now()
    grants = provider.store.grants
    found = grants.find_access_token(token_hash, now=now) or grants.find_refresh_token(token_hash, now=now)
    if found is None or found[1].client_id != client.client_id:
        return {"active": False}
    record, grant = found
    scopes = _registered_scopes(client, record.scope if isinstance(record, AccessToken) else grant.scope)
    response = {
        "active": True,
        "iss": provider.issuer,
        "client_id": client.client_id,
        "scope": " ".join(scopes),
        "iat": record.issued_at,
        "exp": record.expires_at,
        "sub": client.client_id if grant.identity is None else provider.claims.subject(grant.identity.subject, client),
    }
    if grant.identity is not None and "profile" in scopes:
        response["username"] = grant.identity.username
    return response | ({"token_type": "Bearer"} if isinstance(record, AccessToken) else {})


def revocation(provider: ProviderContext, body: Pairs, authorization_header: str | None) -> str:
    """Revoke a token (RFC 7009 §2) and return the client_id.

    A refresh token revokes its whole grant. An unknown token is not an error.
    """
    parameters, client = _authenticated(provider, body, authorization_header, INTROSPECTION_PARAMETERS)
    token_hash, now = fingerprint(required(parameters, "token")), provider.now()
    if not provider.store.grants.revoke_access_token(token_hash, client_id=client.client_id, now=now):
        provider.store.grants.revoke_by_refresh_token(token_hash, client_id=client.client_id, now=now)
    return client.client_id


def provider_metadata(issuer: str) -> dict[str, Any]:
    """Return the metadata (OIDC Discovery §3, RFC 8414 §2). Every URL comes from the issuer, none from a request."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "end_session_endpoint": f"{issuer}/logout",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": list(GRANTS),
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": list(ALGORITHMS),
        "token_endpoint_auth_methods_supported": [*SECRET_METHODS, "none"],
        "revocation_endpoint_auth_methods_supported": [*SECRET_METHODS, "none"],
        "introspection_endpoint_auth_methods_supported": list(SECRET_METHODS),
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claim_types_supported": ["normal"],
        "claims_supported": list(CLAIMS_SUPPORTED),
        "claims_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "ui_locales_supported": ["en", "fr"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }


def authenticate_client(parameters: Parameters, authorization_header: str | None, clients: ClientRegistry) -> Client:
    """Return the client, authenticated by client_secret_basic, client_secret_post or none (RFC 6749 §2.3).

    An unknown client and a wrong secret raise the same InvalidClient.
    """
    client_id, secret = parameters.get("client_id"), parameters.get("client_secret")
    if authorization_header is not None:
        if secret is not None:
            raise InvalidRequest("Send the client secret in the Authorization header or in the body, not in both.")
        header_id, header_secret = basic_credentials(authorization_header)
        secret = header_secret or None  # some libraries send a public client's absent secret as an empty one
        if client_id not in (None, header_id):
            raise InvalidRequest("client_id in the body differs from the one in the Authorization header.")
        client_id = header_id
    client = clients.get(client_id or "")
    if client is None:
        hash_secret(secret or "")  # equal response time for unknown clients
        raise InvalidClient(detail=clients.absence_reason(client_id or ""))
    client.check_secret(secret)
    return client


def basic_credentials(header: str) -> tuple[str, str]:
    """Return client_id and secret, unverified. Both are form-encoded before they are joined (RFC 6749 §2.3.1)."""
    scheme, _, encoded = header.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError("another scheme")
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
        if not colon:
            raise ValueError("no colon")
    except (ValueError, binascii.Error) as error:
        raise InvalidClient(detail=f"unreadable Authorization header: {type(error).__name__}") from None
    return unquote_plus(client_id), unquote_plus(secret)


def bearer_token(authorization_header: str | None, body: Pairs) -> str:
    """Return the unverified access token of the header or the form body, never of the query (RFC 6750 §2)."""
    tokens = [value for name, value in body if name == "access_token"]
    if authorization_header is not None:
        scheme, _, value = authorization_header.partition(" ")
        if scheme.lower() == "bearer":
            tokens.append(value.strip())
    if not tokens:
        raise MissingToken("Send an access token: Authorization: Bearer …")
    if len(tokens) > 1:
        raise InvalidRequest("Send one access token, in the Authorization header or in the body.")
    if not BEARER_TOKEN.fullmatch(tokens[0]):
        raise InvalidToken
    return tokens[0]


def _find_bearer_token(
    provider: ProviderContext, body: Pairs, authorization_header: str | None
) -> tuple[AccessToken, Grant, Client]:
    token_hash = fingerprint(bearer_token(authorization_header, body))
    found = provider.store.grants.find_access_token(token_hash, now=provider.now())
    if found is None:
        raise InvalidToken
    access_token, grant = found
    client = provider.clients.get(grant.client_id)
    if client is None:
        raise InvalidToken(detail=f"client {grant.client_id} is no longer registered")
    bind_log_context(client=client.client_id)
    return access_token, grant, client


def _registered_scopes(client: Client, scope: str) -> list[str]:
    """Return the scopes of a token that the client is still registered for."""
    return [name for name in scope.split() if name in client.scopes]


def _authenticated(
    provider: ProviderContext, body: Pairs, authorization_header: str | None, known: Iterable[str]
) -> tuple[Parameters, Client]:
    parameters, repeated = single_values(body)
    check_not_repeated(repeated, known)
    client = authenticate_client(parameters, authorization_header, provider.clients)
    bind_log_context(client=client.client_id)
    return parameters, client
