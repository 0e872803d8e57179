"""Client credentials grant (RFC 6749 §4.4)."""

from __future__ import annotations

from typing import Any

from bridge.errors.oauth import InvalidScope, UnauthorizedClient
from bridge.oauth.clients import Client
from bridge.oauth.parameters import Parameters
from bridge.oauth.provider_context import ProviderContext
from bridge.oauth.tokens import build_token_issue, token_response
from bridge.settings.client import SCOPES
from bridge.store import Grant

USER_SCOPES = frozenset(SCOPES)


def respond(provider: ProviderContext, client: Client, parameters: Parameters) -> dict[str, Any]:
    """Return a token response without refresh token (§4.4.3) and without ID token.

    Raises:
        UnauthorizedClient: The client is public.
        InvalidScope: A scope is not registered for the client, or describes users.
    """
    if client.is_public:
        raise UnauthorizedClient("Public clients cannot use the client credentials grant.")
    grant = Grant(
        grant_id=provider.new_secret(),
        client_id=client.client_id,
        sid=None,
        identity=None,
        scope=check_scope(parameters, client),
        request="",
        auth_time=None,
        offline=True,
        created_at=provider.now(),
    )
    issue = build_token_issue(provider, client, grant, scope=grant.scope, access_token=provider.new_secret())
    provider.store.grants.begin_with_token(grant, issue.records)
    return token_response(provider, client, issue)


def check_scope(parameters: Parameters, client: Client) -> str:
    """Return the requested scope, or all of the client's scopes that do not describe users."""
    allowed = [scope for scope in client.scopes if scope not in USER_SCOPES]
    requested = parameters.get("scope", "").split() or allowed
    if not set(requested) <= set(allowed):
        raise InvalidScope("The client credentials grant does not include these scopes.")
    return " ".join(dict.fromkeys(requested))
