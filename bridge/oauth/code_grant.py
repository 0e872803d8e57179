"""The checks between an authorization code and what it is exchanged for (RFC 6749 §4.1.3, RFC 7636 §4.6)."""

from __future__ import annotations

import hmac
import re

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from bridge.errors import InvalidGrant
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.clients import Client
from bridge.oauth.parameters import Parameters
from bridge.store import AuthorizationCode

VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def check_code(code: AuthorizationCode, client: Client, parameters: Parameters) -> AuthorizationRequest:
    """All that a code is bound to; the request that it answers.

    :raises InvalidGrant: in the same words whatever differs; the log has the reason
    """
    request = AuthorizationRequest.from_json(code.request)
    check_same_client(code, client)
    check_same_redirect_uri(request, parameters)
    check_code_verifier(request, parameters)
    return request


def check_same_client(code: AuthorizationCode, client: Client) -> None:
    """A code is good for the client that asked for it."""
    if code.client_id != client.client_id:
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
