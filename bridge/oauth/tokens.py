"""Tokens as records to store and as the answer to give (RFC 6749 §5.1, OIDC Core §2, §3.1.3.6, §12.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from authlib.oidc.core.util import create_half_hash

from bridge.log import bind_log_context
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.clients import Client
from bridge.oauth.provider_context import ProviderContext
from bridge.store import AccessToken, Grant, Minted, RefreshToken, fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """What is about to be given out."""

    grant: Grant
    scope: str
    access_token: str
    refresh_token: str | None
    now: int


def build_token_records(provider: ProviderContext, client: Client, issue: Issue) -> Minted:
    """The records of it, secrets hashed."""
    if issue.grant.identity is not None:
        bind_log_context(subject=issue.grant.identity.subject)
    access_token = AccessToken(
        token_hash=fingerprint(issue.access_token),
        grant_id=issue.grant.grant_id,
        scope=issue.scope,
        issued_at=issue.now,
        expires_at=issue.now + seconds_valid(provider, client, issue),
    )
    if issue.refresh_token is None:
        return Minted(access_token=access_token)
    idle_end = issue.now + (client.refresh_token_lifetime_seconds or provider.refresh_token_lifetime_seconds)
    refresh_token = RefreshToken(
        token_hash=fingerprint(issue.refresh_token),
        grant_id=issue.grant.grant_id,
        issued_at=issue.now,
        expires_at=min(idle_end, issue.grant.created_at + provider.grant_lifetime_seconds),
    )
    return Minted(access_token=access_token, refresh_token=refresh_token)


def token_response(
    provider: ProviderContext, client: Client, issue: Issue, *, refreshed: bool = False
) -> dict[str, Any]:
    """The JSON of a successful answer."""
    response: dict[str, Any] = {
        "access_token": issue.access_token,
        "token_type": "Bearer",
        "expires_in": seconds_valid(provider, client, issue),
    }
    if issue.scope:  # a scope that is there has a token at least (RFC 6749 §3.3)
        response["scope"] = issue.scope
    if issue.refresh_token is not None:
        response["refresh_token"] = issue.refresh_token
    identity = issue.grant.identity
    if not client.require_pkce and identity is not None and "profile" in issue.scope.split():
        response["user"] = identity.username  # as the ancestor answered; see docs/decisions/0006
    if "openid" in issue.scope.split() and issue.grant.identity is not None:
        response["id_token"] = id_token(provider, client, issue, refreshed=refreshed)
    return response


def id_token(provider: ProviderContext, client: Client, issue: Issue, *, refreshed: bool) -> str:
    """Signed. One from a refresh has the original `auth_time` and no nonce (OIDC Core §12.2)."""
    grant = issue.grant
    assert grant.identity is not None  # noqa: S101  checked by the caller; a client of its own has no ID token
    request = AuthorizationRequest.from_json(grant.request)
    claims: dict[str, Any] = {
        "iss": provider.issuer,
        "aud": client.client_id,
        "azp": client.client_id,
        "iat": issue.now,
        "exp": issue.now + seconds_valid(provider, client, issue),
        "auth_time": grant.auth_time,
        "sid": None if grant.sid is None else provider.claims.sid_of(grant.sid, client),
        "at_hash": create_half_hash(issue.access_token, client.id_token_signed_response_alg).decode(),
        "nonce": None if refreshed else request.nonce,
    }
    claims |= provider.claims.id_token_claims(grant.identity, client, request.claims)
    present = {name: value for name, value in claims.items() if value is not None}
    return provider.keys.sign(present, algorithm=client.id_token_signed_response_alg)


def seconds_valid(provider: ProviderContext, client: Client, issue: Issue) -> int:
    """Of the access token and the ID token: the client's own lifetime wins, but not over what CAS said too long ago."""
    seconds = access_token_lifetime_seconds(provider, client)
    identity = issue.grant.identity
    if client.identity_max_age_seconds is None or identity is None:
        return seconds
    left = 0 if identity.as_of is None else identity.as_of + client.identity_max_age_seconds - issue.now
    return max(1, min(seconds, left))


def access_token_lifetime_seconds(provider: ProviderContext, client: Client) -> int:
    """Seconds; the client's own setting wins."""
    return client.access_token_lifetime_seconds or provider.access_token_lifetime_seconds
