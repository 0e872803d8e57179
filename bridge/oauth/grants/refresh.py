"""A refresh token for fresh tokens: rotation, reuse detection, a short grace (RFC 6749 §6, RFC 9700 §4.14.2).

The successor of a refresh token, and the access token beside it, are derived from the token itself with a key of
ours. So a client whose answer was lost can ask again, and is given the same tokens instead of being taken for a
thief; and of many requests at once, all get the same answer while one is stored.
"""

from __future__ import annotations

from typing import Any

from bridge.errors import IdentityExpired, InvalidGrant, InvalidScope
from bridge.oauth.clients import Client
from bridge.oauth.grants.code import check_not_reused
from bridge.oauth.parameters import Parameters, required
from bridge.oauth.provider_context import ProviderContext
from bridge.oauth.tokens import Issue, build_token_records, token_response
from bridge.store import Grant, Minted, RefreshToken, fingerprint

GRACE_SECONDS = 10


def respond(provider: ProviderContext, client: Client, parameters: Parameters) -> dict[str, Any]:
    """The token response.

    :raises InvalidGrant: for a token that is unknown, expired, revoked, reused or another client's
    :raises InvalidScope: when more is asked for than was granted
    """
    presented = required(parameters, "refresh_token")
    issues: list[Issue] = []
    reused: list[Grant] = []

    def mint(_token: RefreshToken, grant: Grant) -> Minted:
        check_same_client(grant, client)
        check_session_lasts(provider, grant)
        check_identity_is_recent(provider, client, grant)
        check_still_allowed(client, grant)
        scope = check_scope(parameters, grant, client)
        issue = Issue(
            grant=grant,
            scope=scope,
            access_token=provider.derived_secret("access token", presented, scope),
            refresh_token=provider.derived_secret("refresh token", presented),
            now=provider.now(),
        )
        issues.append(issue)
        return build_token_records(provider, client, issue)

    rotated = provider.store.grants.rotate_refresh_token(
        fingerprint(presented), now=provider.now(), grace=GRACE_SECONDS, mint=mint, reused=reused.append
    )
    if not rotated:
        check_not_reused(reused, "refresh token")
        raise InvalidGrant(detail="unknown, expired, revoked or reused refresh token")
    return token_response(provider, client, issues[0], refreshed=True)


def check_same_client(grant: Grant, client: Client) -> None:
    """A refresh token is good for the client that it was given to."""
    if grant.client_id != client.client_id:
        raise InvalidGrant(detail="the refresh token belongs to another client")


def check_session_lasts(provider: ProviderContext, grant: Grant) -> None:
    """Without offline_access, what was given out under a session is refreshed for as long as it lasts."""
    if grant.offline or grant.sid is None:
        return
    if provider.store.sessions.find_by_sid(grant.sid, now=provider.now()) is None:
        raise InvalidGrant(detail="the session is over, and the grant is without offline_access")


def check_identity_is_recent(provider: ProviderContext, client: Client, grant: Grant) -> None:
    """What CAS said about the user counts for as long as the client's setting says; a refresh asks nobody."""
    if grant.identity is None or client.identity_max_age_seconds is None:
        return
    # Not older, as elsewhere: tokens end with this very second.
    if grant.identity.is_older_than(client.identity_max_age_seconds - 1, now=provider.now()):
        raise IdentityExpired(detail="CAS was asked about the user longer ago than identity_max_age_seconds")


def check_still_allowed(client: Client, grant: Grant) -> None:
    """Who may sign in may have changed since the user did."""
    if grant.identity is not None and not client.allows_user(grant.identity):
        raise InvalidGrant(detail="the client is not open to this user any more")


def check_scope(parameters: Parameters, grant: Grant, client: Client) -> str:
    """What was granted and the client may still have, or a part of it; the refresh token keeps all (RFC 6749 §6)."""
    granted = [scope for scope in grant.scope.split() if scope in client.scopes]
    asked = parameters.get("scope", "").split()
    if not granted:
        raise InvalidGrant(detail="none of the granted scopes is left to the client")
    if not asked:
        return " ".join(granted)
    if not set(asked) <= set(granted):
        raise InvalidScope("More scopes were asked for than were granted.")
    return " ".join(scope for scope in granted if scope in asked)
