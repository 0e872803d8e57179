"""Access, refresh and ID tokens: records to store and token responses (RFC 6749 §5.1, OIDC Core §3.1.3.3)."""

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
    access_token: str
    refresh_token: str | None
    records: TokenRecords


def build_token_issue(
    provider: ProviderContext,
    client: Client,
    grant: Grant,
    scope: str,
    *,
    access_token: str,
    refresh_token: str | None = None,
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
    return TokenIssue(grant=grant, access_token=access_token, refresh_token=refresh_token, records=records)


def token_response(
    provider: ProviderContext, client: Client, issue: TokenIssue, *, refreshed: bool = False
) -> dict[str, Any]:
    """Return the JSON of a successful token response."""
    record, identity = issue.records.access_token, issue.grant.identity
    scopes = record.scope.split()
    response = {
        "access_token": issue.access_token,
        "token_type": "Bearer",
        "expires_in": record.expires_at - record.issued_at,
        "scope": record.scope or None,  # an empty scope is not allowed (RFC 6749 §3.3)
        "refresh_token": issue.refresh_token,
    }
    if identity is not None:
        if not client.require_pkce and "profile" in scopes:
            response["user"] = identity.username  # compatibility with the predecessor, docs/decisions/0006
        if "openid" in scopes:
            response["id_token"] = _id_token(provider, client, issue, identity, refreshed=refreshed)
    return {name: value for name, value in response.items() if value is not None}


def _id_token(
    provider: ProviderContext, client: Client, issue: TokenIssue, identity: Identity, *, refreshed: bool
) -> str:
    """Return a signed ID token; after a refresh it keeps `auth_time` but has no nonce (OIDC Core §12.2)."""
    grant, record = issue.grant, issue.records.access_token
    request = AuthorizationRequest.from_json(grant.request)
    claims: dict[str, Any] = {
        "iss": provider.issuer,
        "aud": client.client_id,
        "azp": client.client_id,
        "iat": record.issued_at,
        "exp": record.expires_at,
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
