"""Access, refresh and ID tokens: records to store and token responses (RFC 6749 §5.1, OIDC Core §3.1.3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from authlib.oidc.core.util import create_half_hash

from bridge.identity import Identity
from bridge.log import bind_log_context
from bridge.oauth.authorization import AuthorizationRequest
from bridge.oauth.clients import Client
from bridge.oauth.provider_context import ProviderContext
from bridge.store import AccessToken, Grant, RefreshToken, TokenRecords, fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIssue:
    """The tokens of one response, in plain text, and their records."""

    grant: Grant
    request: AuthorizationRequest | None
    """The parsed request of the grant; None for a client without a user."""
    scope: str
    access_token: str
    refresh_token: str | None
    records: TokenRecords

    @property
    def issued_at(self) -> int:
        """Unix seconds."""
        return self.records.access_token.issued_at

    @property
    def expires_at(self) -> int:
        """Unix seconds; of the access token and the ID token."""
        return self.records.access_token.expires_at


def build_token_issue(
    provider: ProviderContext,
    client: Client,
    grant: Grant,
    *,
    scope: str,
    access_token: str,
    refresh_token: str | None = None,
    request: AuthorizationRequest | None = None,
) -> TokenIssue:
    """Build the records of new tokens, secrets hashed; nothing is stored yet."""
    if grant.identity is not None:
        bind_log_context(subject=grant.identity.subject)
    now = provider.now()
    access_record = AccessToken(
        token_hash=fingerprint(access_token),
        grant_id=grant.grant_id,
        scope=scope,
        issued_at=now,
        expires_at=now + _access_token_lifetime(provider, client, grant, now),
    )
    refresh_record = None
    if refresh_token is not None:
        idle_lifetime = client.refresh_token_lifetime_seconds or provider.refresh_token_lifetime_seconds
        refresh_record = RefreshToken(
            token_hash=fingerprint(refresh_token),
            grant_id=grant.grant_id,
            issued_at=now,
            expires_at=min(now + idle_lifetime, grant.created_at + provider.grant_lifetime_seconds),
        )
    records = TokenRecords(access_token=access_record, refresh_token=refresh_record)
    return TokenIssue(
        grant=grant,
        request=request,
        scope=scope,
        access_token=access_token,
        refresh_token=refresh_token,
        records=records,
    )


def token_response(
    provider: ProviderContext, client: Client, issue: TokenIssue, *, refreshed: bool = False
) -> dict[str, Any]:
    """Return the JSON of a successful token response."""
    response: dict[str, Any] = {
        "access_token": issue.access_token,
        "token_type": "Bearer",
        "expires_in": issue.expires_at - issue.issued_at,
    }
    if issue.scope:  # an empty scope is not allowed (RFC 6749 §3.3)
        response["scope"] = issue.scope
    if issue.refresh_token is not None:
        response["refresh_token"] = issue.refresh_token
    identity, scopes = issue.grant.identity, issue.scope.split()
    if identity is not None:
        if not client.require_pkce and "profile" in scopes:
            response["user"] = identity.username  # compatibility with the predecessor, docs/decisions/0006
        if "openid" in scopes and issue.request is not None:
            response["id_token"] = _id_token(provider, client, issue, identity, issue.request, refreshed=refreshed)
    return response


def _id_token(
    provider: ProviderContext,
    client: Client,
    issue: TokenIssue,
    identity: Identity,
    request: AuthorizationRequest,
    *,
    refreshed: bool,
) -> str:
    """Return a signed ID token; after a refresh it keeps `auth_time` but has no nonce (OIDC Core §12.2)."""
    grant = issue.grant
    claims: dict[str, Any] = {
        "iss": provider.issuer,
        "aud": client.client_id,
        "azp": client.client_id,
        "iat": issue.issued_at,
        "exp": issue.expires_at,
        "auth_time": grant.auth_time,
        "sid": None if grant.sid is None else provider.claims.sid_of(grant.sid, client),
        "at_hash": create_half_hash(issue.access_token, client.id_token_signed_response_alg).decode(),
        "nonce": None if refreshed else request.nonce,
    }
    claims |= provider.claims.id_token_claims(identity, client, request.claims)
    present = {name: value for name, value in claims.items() if value is not None}
    return provider.keys.sign(present, algorithm=client.id_token_signed_response_alg)


def _access_token_lifetime(provider: ProviderContext, client: Client, grant: Grant, now: int) -> int:
    """Return the lifetime in seconds: the client's own or the default, capped by `identity_max_age_seconds`."""
    seconds = client.access_token_lifetime_seconds or provider.access_token_lifetime_seconds
    if client.identity_max_age_seconds is None or grant.identity is None:
        return seconds
    as_of = grant.identity.as_of
    remaining = 0 if as_of is None else as_of + client.identity_max_age_seconds - now
    return max(1, min(seconds, remaining))
