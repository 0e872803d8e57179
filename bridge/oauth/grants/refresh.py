"""Refresh token grant: rotation, reuse detection and a short grace period (RFC 6749 §6, RFC 9700 §4.14.2).

The new tokens are derived from the presented refresh token with a secret key. A client that lost the response can
therefore repeat the request and get the same tokens. Concurrent requests get the same tokens too, and one stores them.
"""

from __future__ import annotations

from typing import Any

from bridge.errors.oauth import IdentityExpired, InvalidGrant, InvalidScope
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.clients import Client
from bridge.oauth.grants.code import check_redeemed
from bridge.oauth.parameters import Parameters, required
from bridge.oauth.provider_context import ProviderContext
from bridge.oauth.tokens import TokenIssue, build_token_issue, token_response
from bridge.store import Grant, fingerprint

GRACE_SECONDS = 10


def respond(provider: ProviderContext, client: Client, parameters: Parameters) -> dict[str, Any]:
    """Return the token response.

    Raises:
        InvalidGrant: The token is unknown, expired, revoked, reused or issued to another client.
        InvalidScope: The request exceeds the granted scope.
    """
    presented = required(parameters, "refresh_token")

    def build(grant: Grant) -> TokenIssue:
        check_same_client(grant, client)
        check_session_is_active(provider, grant)
        check_identity_is_recent(provider, client, grant)
        check_user_is_allowed(client, grant)
        scope = check_scope(parameters, grant, client)
        return build_token_issue(
            provider,
            client,
            grant,
            scope=scope,
            access_token=provider.derived_secret("access token", presented, scope),
            refresh_token=provider.derived_secret("refresh token", presented),
            request=AuthorizationRequest.from_json(grant.request),
        )

    result = provider.store.grants.rotate_refresh_token(
        fingerprint(presented), now=provider.now(), grace=GRACE_SECONDS, build=build
    )
    return token_response(provider, client, check_redeemed(result, "refresh token"), refreshed=True)


def check_same_client(grant: Grant, client: Client) -> None:
    """Reject a refresh token issued to another client."""
    if grant.client_id != client.client_id:
        raise InvalidGrant(detail="the refresh token was issued to another client")


def check_session_is_active(provider: ProviderContext, grant: Grant) -> None:
    """Reject a grant without offline_access after its session has ended."""
    if grant.offline or grant.sid is None:
        return
    if provider.store.sessions.find_by_sid(grant.sid, now=provider.now()) is None:
        raise InvalidGrant(detail="the session has ended, and the grant has no offline_access")


def check_identity_is_recent(provider: ProviderContext, client: Client, grant: Grant) -> None:
    """Reject an identity older than `identity_max_age_seconds`, because a refresh does not revalidate it with CAS."""
    if grant.identity is None or client.identity_max_age_seconds is None:
        return
    # One second less, because the tokens expire in this very second.
    if grant.identity.is_older_than(client.identity_max_age_seconds - 1, now=provider.now()):
        raise IdentityExpired(detail="CAS confirmed the user longer ago than identity_max_age_seconds")


def check_user_is_allowed(client: Client, grant: Grant) -> None:
    """Reject a user whom the client's current settings do not allow."""
    if grant.identity is not None and not client.allows_user(grant.identity):
        raise InvalidGrant(detail="the client does not allow this user any more")


def check_scope(parameters: Parameters, grant: Grant, client: Client) -> str:
    """Return the requested part of the granted scope, as far as the client still has it (RFC 6749 §6)."""
    granted = [scope for scope in grant.scope.split() if scope in client.scopes]
    requested = parameters.get("scope", "").split()
    if not granted:
        raise InvalidGrant(detail="the client has none of the granted scopes any more")
    if not requested:
        return " ".join(granted)
    if not set(requested) <= set(granted):
        raise InvalidScope("The request exceeds the granted scope.")
    return " ".join(scope for scope in granted if scope in requested)
