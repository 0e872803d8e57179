"""An authorization code for tokens (RFC 6749 §4.1.3, RFC 7636 §4.6)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from typing import Any

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from bridge.errors import InvalidGrant, TokenReused
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.clients import Client
from bridge.oauth.parameters import Parameters, required
from bridge.oauth.provider_context import ProviderContext
from bridge.oauth.tokens import Issue, build_token_records, token_response
from bridge.store import AuthorizationCode, Grant, Minted, fingerprint

VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def respond(provider: ProviderContext, client: Client, parameters: Parameters) -> dict[str, Any]:
    """The token response.

    :raises InvalidGrant: in the same words whatever is wrong; the log has the reason
    """
    issues: list[Issue] = []
    reused: list[Grant] = []

    def mint(_code: AuthorizationCode, grant: Grant) -> Minted:
        check_same_client(grant, client)
        request = AuthorizationRequest.from_json(grant.request)
        check_same_redirect_uri(request, parameters)
        check_code_verifier(request, parameters)
        issue = Issue(
            grant=grant,
            scope=grant.scope,
            access_token=provider.new_secret(),
            refresh_token=provider.new_secret() if "refresh_token" in client.grant_types else None,
            now=provider.now(),
        )
        issues.append(issue)
        return build_token_records(provider, client, issue)

    code_hash = fingerprint(required(parameters, "code"))
    if not provider.store.grants.redeem_code(code_hash, now=provider.now(), mint=mint, reused=reused.append):
        check_not_reused(reused, "authorization code")
        raise InvalidGrant(detail="unknown, spent or expired code")
    return token_response(provider, client, issues[0])


def check_not_reused(reused: Sequence[Grant], what: str) -> None:
    """A second use revoked the grant, and has to be seen by whoever watches.

    :raises TokenReused: naming the client and the user
    """
    for grant in reused:
        subject = None if grant.identity is None else grant.identity.subject
        raise TokenReused(what, client_id=grant.client_id, subject=subject)


def check_same_client(grant: Grant, client: Client) -> None:
    """A code is good for the client that asked for it."""
    if grant.client_id != client.client_id:
        raise InvalidGrant(detail="the code belongs to another client")


def check_same_redirect_uri(request: AuthorizationRequest, parameters: Parameters) -> None:
    """Repeated when it was sent at the authorization endpoint; tolerated when it was not (OAuth 2.1 §4.1.3)."""
    sent = parameters.get("redirect_uri")
    if sent != request.redirect_uri and (request.redirect_uri_was_sent or sent is not None):
        raise InvalidGrant(detail="redirect_uri differs from the authorization request's")


def check_code_verifier(request: AuthorizationRequest, parameters: Parameters) -> None:
    """The verifier of the challenge; and none without a challenge (RFC 9700 §4.8.2, downgrade)."""
    verifier = parameters.get("code_verifier")
    if request.code_challenge is None:
        if verifier is not None:
            raise InvalidGrant(detail="code_verifier without code_challenge")
        return
    if verifier is None or not VERIFIER.fullmatch(verifier):
        raise InvalidGrant(detail="code_verifier missing or malformed")
    if not hmac.compare_digest(create_s256_code_challenge(verifier), request.code_challenge):
        raise InvalidGrant(detail="code_verifier does not match")
