"""A client that acts for itself, without any user (RFC 6749 §4.4)."""

from __future__ import annotations

from typing import Any

from bridge.errors import InvalidScope, UnauthorizedClient
from bridge.oauth.clients import Client
from bridge.oauth.parameters import Parameters
from bridge.oauth.provider_context import ProviderContext
from bridge.oauth.tokens import Issue, build_token_records, token_response
from bridge.settings.client import SCOPES
from bridge.store import Grant

# They tell of a user, and here is none.
USER_SCOPES = frozenset(SCOPES)


def respond(provider: ProviderContext, client: Client, parameters: Parameters) -> dict[str, Any]:
    """The token response, without refresh token (§4.4.3) and without ID token.

    :raises UnauthorizedClient: for a public client
    :raises InvalidScope: for scopes that it is not registered for
    """
    if client.is_public:
        raise UnauthorizedClient("A client without a secret cannot act for itself.")
    now = provider.now()
    grant = Grant(
        grant_id=provider.new_secret(),
        client_id=client.client_id,
        sid=None,
        identity=None,
        scope=check_scope(parameters, client),
        request="",
        auth_time=None,
        offline=True,
        created_at=now,
    )
    issue = Issue(grant=grant, scope=grant.scope, access_token=provider.new_secret(), refresh_token=None, now=now)
    provider.store.grants.begin_with_token(grant, build_token_records(provider, client, issue))
    return token_response(provider, client, issue)


def check_scope(parameters: Parameters, client: Client) -> str:
    """What was asked for, of what the client may have without a user."""
    allowed = [scope for scope in client.scopes if scope not in USER_SCOPES]
    asked = parameters.get("scope", "").split() or allowed
    if not set(asked) <= set(allowed):
        raise InvalidScope("These scopes cannot be given to a client that acts for itself.")
    return " ".join(dict.fromkeys(asked))
