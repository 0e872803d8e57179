"""Grant types of the token endpoint: authorization code, refresh token, client credentials (RFC 6749 §4.1, §6, §4.4).

A refresh token is rotated, with reuse detection and a short grace period (RFC 9700 §4.14.2). The new tokens are derived
from the presented one with a secret key. A client that lost the response can therefore repeat the request and get the
same tokens. Concurrent requests get the same tokens too, and one stores them.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from bridge.errors.oauth import IdentityExpired, InvalidGrant, OAuthError, TokenReused
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.clients import Client
from bridge.oauth.parameters import Parameters, required
from bridge.oauth.provider_context import ProviderContext
from bridge.oauth.tokens import TokenIssue, build_token_issue, token_response
from bridge.settings.client import SCOPES
from bridge.store import Grant, Redeemed, Redemption, Reused, fingerprint

GRACE_SECONDS = 10
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def _authorization_code(provider: ProviderContext, client: Client, parameters: Parameters) -> dict[str, Any]:
    def build(grant: Grant) -> TokenIssue:
        check_same_client(grant, client)
        request = AuthorizationRequest.from_json(grant.request)
        check_same_redirect_uri(request, parameters)
        check_code_verifier(request, parameters)
        refresh_token = provider.new_secret() if "refresh_token" in client.grant_types else None
        return build_token_issue(
            provider, client, grant, grant.scope, access_token=provider.new_secret(), refresh_token=refresh_token
        )

    code_hash = fingerprint(required(parameters, "code"))
    result = provider.store.grants.redeem_code(code_hash, client_id=client.client_id, now=provider.now(), build=build)
    return token_response(provider, client, _check_redeemed(result, "authorization code"))


def _refresh_token(provider: ProviderContext, client: Client, parameters: Parameters) -> dict[str, Any]:
    presented = required(parameters, "refresh_token")

    def build(grant: Grant) -> TokenIssue:
        check_same_client(grant, client)
        _check_session_is_active(provider, grant)
        _check_identity_is_recent(provider, client, grant)
        if grant.identity is not None and not client.allows_user(grant.identity):
            raise InvalidGrant(detail="the client does not allow this user any more")
        scope = _check_refreshed_scope(parameters, grant, client)
        access_token = provider.derived_secret("access token", presented, scope)
        refresh_token = provider.derived_secret("refresh token", presented)
        return build_token_issue(provider, client, grant, scope, access_token=access_token, refresh_token=refresh_token)

    result = provider.store.grants.rotate_refresh_token(
        fingerprint(presented), client_id=client.client_id, now=provider.now(), grace=GRACE_SECONDS, build=build
    )
    return token_response(provider, client, _check_redeemed(result, "refresh token"), refreshed=True)


def _client_credentials(provider: ProviderContext, client: Client, parameters: Parameters) -> dict[str, Any]:
    """Return a token response without refresh token (§4.4.3), and without ID token because there is no user."""
    if client.is_public:
        raise OAuthError("Public clients cannot use the client credentials grant.", code="unauthorized_client")
    allowed = [scope for scope in client.scopes if scope not in SCOPES]  # SCOPES describe users
    requested = parameters.get("scope", "").split() or allowed
    if not set(requested) <= set(allowed):
        raise OAuthError("The client credentials grant does not include these scopes.", code="invalid_scope")
    grant = Grant(
        grant_id=provider.new_secret(),
        client_id=client.client_id,
        sid=None,
        identity=None,
        scope=" ".join(dict.fromkeys(requested)),
        request="",
        auth_time=None,
        offline=True,
        created_at=provider.now(),
    )
    issue = build_token_issue(provider, client, grant, grant.scope, access_token=provider.new_secret())
    provider.store.grants.begin_with_token(grant, issue.records)
    return token_response(provider, client, issue)


GRANTS: Mapping[str, Callable[[ProviderContext, Client, Parameters], dict[str, Any]]] = {
    "authorization_code": _authorization_code,
    "refresh_token": _refresh_token,
    "client_credentials": _client_credentials,
}
"""Each returns a token response. The description of an InvalidGrant is always the same; the log has the reason."""


def _check_redeemed(result: Redemption[TokenIssue], kind: str) -> TokenIssue:
    """Return the tokens of a redemption that succeeded; `kind` is for the log."""
    if isinstance(result, Reused):
        identity = result.grant.identity
        subject = None if identity is None else identity.subject
        raise TokenReused(kind, client_id=result.grant.client_id, subject=subject)
    if not isinstance(result, Redeemed):
        raise InvalidGrant(detail=f"unknown, expired or revoked {kind}, or a used one of another client")
    return result.issue


def check_same_client(grant: Grant, client: Client) -> None:
    """Reject a code or refresh token issued to another client."""
    if grant.client_id != client.client_id:
        raise InvalidGrant(detail="it was issued to another client")


def check_same_redirect_uri(request: AuthorizationRequest, parameters: Parameters) -> None:
    """Reject another redirect_uri; it may be missing only if the authorization request had none (OAuth 2.1 §4.1.3)."""
    sent = parameters.get("redirect_uri")
    if sent != request.redirect_uri and (request.redirect_uri_was_sent or sent is not None):
        raise InvalidGrant(detail="redirect_uri differs from the authorization request")


def check_code_verifier(request: AuthorizationRequest, parameters: Parameters) -> None:
    """Reject a wrong code_verifier, and any without a code_challenge (downgrade, RFC 9700 §4.8.2)."""
    verifier = parameters.get("code_verifier")
    if request.code_challenge is None:
        if verifier is not None:
            raise InvalidGrant(detail="code_verifier without code_challenge")
        return
    if verifier is None or not VERIFIER.fullmatch(verifier):
        raise InvalidGrant(detail="code_verifier missing or malformed")
    if not hmac.compare_digest(create_s256_code_challenge(verifier), request.code_challenge):
        raise InvalidGrant(detail="code_verifier does not match")


def _check_session_is_active(provider: ProviderContext, grant: Grant) -> None:
    if grant.offline or grant.sid is None:
        return
    if provider.store.sessions.find_by_sid(grant.sid, now=provider.now()) is None:
        raise InvalidGrant(detail="the session has ended, and the grant has no offline_access")


def _check_identity_is_recent(provider: ProviderContext, client: Client, grant: Grant) -> None:
    """Reject an identity older than `identity_max_age_seconds`, because a refresh does not revalidate it with CAS."""
    if grant.identity is None or client.identity_max_age_seconds is None:
        return
    # One second less, because the tokens expire in this very second.
    if grant.identity.is_older_than(client.identity_max_age_seconds - 1, now=provider.now()):
        raise IdentityExpired(detail="CAS confirmed the user longer ago than identity_max_age_seconds")


def _check_refreshed_scope(parameters: Parameters, grant: Grant, client: Client) -> str:
    """Return the requested part of the granted scope, as far as the client still has it (RFC 6749 §6)."""
    granted = [scope for scope in grant.scope.split() if scope in client.scopes]
    requested = parameters.get("scope", "").split() or granted
    if not granted:
        raise InvalidGrant(detail="the client has none of the granted scopes any more")
    if not set(requested) <= set(granted):
        raise OAuthError("The request exceeds the granted scope.", code="invalid_scope")
    return " ".join(scope for scope in granted if scope in requested)
