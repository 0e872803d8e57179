"""What an identity tells a client, by scope (OIDC Core §5.1, §5.4)."""

from __future__ import annotations

from typing import Any

from bridge.identity import Identity

CLAIMS_SUPPORTED = (
    *("sub", "preferred_username", "name", "given_name", "family_name", "email", "email_verified", "groups"),
    *("iss", "aud", "iat", "exp", "auth_time", "nonce", "at_hash"),
)


def claims_of(identity: Identity, scope: str, *, email_verified: bool) -> dict[str, Any]:
    """The userinfo claims: absent rather than empty, except groups, whose absence applications take for an error.

    :param scope: the granted scopes, separated by spaces
    :param email_verified: what to say of an address that CAS released
    """
    scopes = scope.split()
    claims: dict[str, Any] = {"sub": identity.subject}
    if "profile" in scopes:
        claims |= {
            "preferred_username": identity.username,
            "name": identity.name,
            "given_name": identity.given_name,
            "family_name": identity.family_name,
        }
    if "email" in scopes and identity.email is not None:
        claims |= {"email": identity.email, "email_verified": email_verified}
    if "groups" in scopes:
        claims["groups"] = list(identity.groups)
    return {name: value for name, value in claims.items() if value is not None}
