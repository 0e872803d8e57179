"""The endpoints that clients call themselves: token, userinfo, introspection, revocation.

Each takes the parameters of a form body and the Authorization header, and returns what to answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bridge.errors import InsufficientScope, InvalidGrant, InvalidToken, UnauthorizedClient, UnsupportedGrantType
from bridge.log import bind_log_context
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.bearer import bearer_token
from bridge.oauth.client_authentication import authenticate_client
from bridge.oauth.clients import Client
from bridge.oauth.grants import GRANTS
from bridge.oauth.parameters import Parameters, check_not_repeated, required, single_values
from bridge.oauth.provider_context import ProviderContext
from bridge.store import AccessToken, Grant, fingerprint

TOKEN_PARAMETERS = (
    *("grant_type", "code", "redirect_uri", "client_id", "client_secret", "code_verifier", "scope", "refresh_token"),
)
TOKEN_QUESTION_PARAMETERS = ("token", "token_type_hint", "client_id", "client_secret")

Pairs = Iterable[tuple[str, str]]


def token(provider: ProviderContext, body: Pairs, authorization_header: str | None) -> tuple[str, dict[str, Any]]:
    """The client_id and the answer, RFC 6749 §5.1.

    :raises OAuthError: §5.2, by the subclass that has the code
    """
    parameters, client = _authenticated(provider, body, authorization_header, TOKEN_PARAMETERS)
    grant_type = required(parameters, "grant_type")
    if grant_type not in GRANTS:
        raise UnsupportedGrantType(f"There are these values of grant_type: {', '.join(GRANTS)}.")
    if grant_type not in client.grant_types:
        raise UnauthorizedClient(f"This client is not registered for grant_type={grant_type}.")
    try:
        return client.client_id, GRANTS[grant_type](provider, client, parameters)
    except InvalidGrant as error:
        error.detail = f"client {client.client_id}: {error.detail}"
        raise


def userinfo(provider: ProviderContext, body: Pairs, authorization_header: str | None) -> dict[str, Any]:
    """OIDC Core §5.3.

    :raises OAuthError: RFC 6750 §3.1
    """
    access_token, grant, client = _of_bearer(provider, body, authorization_header)
    if grant.identity is None or "openid" not in access_token.scope.split():
        raise InsufficientScope("The access token was given without the scope openid.")
    # A token that was narrowed tells no more than its scopes do.
    is_whole = access_token.scope == grant.scope
    requested = AuthorizationRequest.from_json(grant.request).claims if is_whole else {}
    return provider.claims.userinfo_claims(grant.identity, access_token.scope, client, requested)


def username(provider: ProviderContext, authorization_header: str | None) -> str:
    """The name alone, which is the claim `preferred_username` and bound to the same scope.

    :raises OAuthError: RFC 6750 §3.1
    """
    access_token, grant, client = _of_bearer(provider, (), authorization_header)
    if grant.identity is None or "profile" not in _left_to(client, access_token.scope):
        raise InsufficientScope("The access token was given without the scope profile.")
    return grant.identity.username


def introspection(provider: ProviderContext, body: Pairs, authorization_header: str | None) -> dict[str, Any]:
    """RFC 7662 §2.2. A client learns of its own tokens only; of all others nothing but `active: false`.

    :raises OAuthError: when the client does not prove itself, or has no secret to do so
    """
    parameters, client = _authenticated(provider, body, authorization_header, TOKEN_QUESTION_PARAMETERS)
    if client.is_public:
        raise UnauthorizedClient("A client without a secret cannot ask about tokens.")
    token_hash, now = fingerprint(required(parameters, "token")), provider.now()
    grants = provider.store.grants
    found = grants.find_access_token(token_hash, now=now) or grants.find_refresh_token(token_hash, now=now)
    if found is None or found[1].client_id != client.client_id:
        return {"active": False}
    record, grant = found
    is_access_token = isinstance(record, AccessToken)
    scope = " ".join(_left_to(client, record.scope if isinstance(record, AccessToken) else grant.scope))
    return {
        "active": True,
        "iss": provider.issuer,
        "client_id": client.client_id,
        "scope": scope,
        "iat": record.issued_at,
        "exp": record.expires_at,
        **_about_the_user(provider, client, grant, scope),
        **({"token_type": "Bearer"} if is_access_token else {}),
    }


def revocation(provider: ProviderContext, body: Pairs, authorization_header: str | None) -> str:
    """RFC 7009 §2. A refresh token takes everything of its grant along; unknown tokens are no fault.

    :returns: the client_id, for the log
    :raises OAuthError: when the client does not prove itself
    """
    parameters, client = _authenticated(provider, body, authorization_header, TOKEN_QUESTION_PARAMETERS)
    token_hash, now = fingerprint(required(parameters, "token")), provider.now()
    if not provider.store.grants.revoke_access_token(token_hash, client_id=client.client_id, now=now):
        provider.store.grants.revoke_by_refresh_token(token_hash, client_id=client.client_id, now=now)
    return client.client_id


def _of_bearer(
    provider: ProviderContext, body: Pairs, authorization_header: str | None
) -> tuple[AccessToken, Grant, Client]:
    token_hash = fingerprint(bearer_token(authorization_header, body))
    found = provider.store.grants.find_access_token(token_hash, now=provider.now())
    if found is None:
        raise InvalidToken
    access_token, grant = found
    client = provider.clients.get(grant.client_id)
    if client is None:
        raise InvalidToken(detail=f"client {grant.client_id} is not registered any more")
    bind_log_context(client=client.client_id)
    return access_token, grant, client


def _left_to(client: Client, scope: str) -> list[str]:
    """The scopes that a client may still have of those that it was given."""
    return [name for name in scope.split() if name in client.scopes]


def _about_the_user(provider: ProviderContext, client: Client, grant: Grant, scope: str) -> dict[str, Any]:
    if grant.identity is None:
        return {"sub": client.client_id}
    about: dict[str, Any] = {"sub": provider.claims.subject(grant.identity, client)}
    if "profile" in scope.split():
        about["username"] = grant.identity.username
    return about


def _authenticated(
    provider: ProviderContext, body: Pairs, authorization_header: str | None, known: Iterable[str]
) -> tuple[Parameters, Client]:
    parameters, repeated = single_values(body)
    check_not_repeated(repeated, known)
    client = authenticate_client(parameters, authorization_header, provider.clients)
    bind_log_context(client=client.client_id)
    return parameters, client
