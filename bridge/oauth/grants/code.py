"""Authorization code grant (RFC 6749 §4.1.3, RFC 7636 §4.6)."""

from __future__ import annotations

import hmac
import re
from typing import Any

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from bridge.errors.oauth import InvalidGrant, TokenReused
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.clients import Client
from bridge.oauth.parameters import Parameters, required
from bridge.oauth.provider_context import ProviderContext
from bridge.oauth.tokens import TokenIssue, build_token_issue, token_response
from bridge.store import Grant, Reused, fingerprint

VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def respond(provider: ProviderContext, client: Client, parameters: Parameters) -> dict[str, Any]:
    """Return the token response.

    Raises:
        InvalidGrant: With the same description whatever is wrong; the log has the reason.
    """

    def build(grant: Grant) -> TokenIssue:
        check_same_client(grant, client)
        request = AuthorizationRequest.from_json(grant.request)
        check_same_redirect_uri(request, parameters)
        check_code_verifier(request, parameters)
        return build_token_issue(
            provider,
            client,
            grant,
            scope=grant.scope,
            access_token=provider.new_secret(),
            refresh_token=provider.new_secret() if "refresh_token" in client.grant_types else None,
            request=request,
        )

    code_hash = fingerprint(required(parameters, "code"))
    result = provider.store.grants.redeem_code(code_hash, now=provider.now(), build=build)
    return token_response(provider, client, check_redeemed(result, "authorization code"))


def check_redeemed(result: TokenIssue | Reused | None, kind: str) -> TokenIssue:
    """Return the tokens of a redemption that succeeded; `kind` is for the log.

    Raises:
        TokenReused: The code or refresh token was used before; logged with the client and the user.
        InvalidGrant: It is unknown, expired or revoked.
    """
    if isinstance(result, Reused):
        identity = result.grant.identity
        subject = None if identity is None else identity.subject
        raise TokenReused(kind, client_id=result.grant.client_id, subject=subject)
    if result is None:
        raise InvalidGrant(detail=f"unknown, expired or revoked {kind}")
    return result


def check_same_client(grant: Grant, client: Client) -> None:
    """Reject a code issued to another client."""
    if grant.client_id != client.client_id:
        raise InvalidGrant(detail="the code was issued to another client")


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
