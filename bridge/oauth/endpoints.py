"""The endpoints that clients call: token, userinfo, introspection, revocation.

Each function takes the parameters of a form body and the Authorization header, and returns the response.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from bridge.errors.oauth import (
    InsufficientScope,
    InvalidGrant,
    InvalidRequest,
    InvalidToken,
    MissingToken,
    UnauthorizedClient,
    UnsupportedGrantType,
)
from bridge.log import bind_log_context
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.client_authentication import authenticate_client
from bridge.oauth.clients import Client
from bridge.oauth.grants import GRANTS
from bridge.oauth.parameters import Parameters, check_not_repeated, required, single_values
from bridge.oauth.provider_context import ProviderContext
from bridge.store import AccessToken, Grant, fingerprint

CLIENT_PARAMETERS = ("client_id", "client_secret")
TOKEN_PARAMETERS = (
    *("grant_type", "code", "redirect_uri", "code_verifier", "scope", "refresh_token"),
    *CLIENT_PARAMETERS,
)
INTROSPECTION_PARAMETERS = ("token", "token_type_hint", *CLIENT_PARAMETERS)
BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,512}=*")

Pairs = Iterable[tuple[str, str]]


def token(provider: ProviderContext, body: Pairs, authorization_header: str | None) -> tuple[str, dict[str, Any]]:
    """Return the client_id and the token response (RFC 6749 §5.1), or raise an OAuthError (§5.2)."""
    parameters, client = _authenticated(provider, body, authorization_header, TOKEN_PARAMETERS)
    grant_type = required(parameters, "grant_type")
    if grant_type not in GRANTS:
        raise UnsupportedGrantType(f"Supported values of grant_type: {', '.join(GRANTS)}.")
    if grant_type not in client.grant_types:
        raise UnauthorizedClient(f"This client is not registered for grant_type={grant_type}.")
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
        raise UnauthorizedClient("A client without a secret cannot introspect tokens.")
    token_hash, now = fingerprint(required(parameters, "token")), provider.now()
    grants = provider.store.grants
    found = grants.find_access_token(token_hash, now=now) or grants.find_refresh_token(token_hash, now=now)
    if found is None or found[1].client_id != client.client_id:
        return {"active": False}
    record, grant = found
    is_access_token = isinstance(record, AccessToken)
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
    return response | ({"token_type": "Bearer"} if is_access_token else {})


def revocation(provider: ProviderContext, body: Pairs, authorization_header: str | None) -> str:
    """Revoke a token (RFC 7009 §2) and return the client_id.

    A refresh token revokes its whole grant. An unknown token is not an error.
    """
    parameters, client = _authenticated(provider, body, authorization_header, INTROSPECTION_PARAMETERS)
    token_hash, now = fingerprint(required(parameters, "token")), provider.now()
    if not provider.store.grants.revoke_access_token(token_hash, client_id=client.client_id, now=now):
        provider.store.grants.revoke_by_refresh_token(token_hash, client_id=client.client_id, now=now)
    return client.client_id


def bearer_token(authorization_header: str | None, body: Pairs) -> str:
    """Return the unverified access token of the header or the form body, never of the query (RFC 6750 §2).

    Raises:
        MissingToken: There is none.
        InvalidToken: It has characters that no token has.
        InvalidRequest: There are several.
    """
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
