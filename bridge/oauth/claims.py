"""What an identity tells a client: by scope (OIDC Core §5.4) or by name (§5.5), under a subject (§8)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.identity import Identity
from bridge.oauth.clients import Client

CLAIMS_OF_SCOPE: Mapping[str, tuple[str, ...]] = {
    "profile": ("preferred_username", "name", "given_name", "family_name"),
    "email": ("email", "email_verified"),
    "groups": ("groups",),
    "eduperson": (
        "eduperson_affiliation",
        "eduperson_scoped_affiliation",
        "eduperson_primary_affiliation",
        "eduperson_principal_name",
        "eduperson_entitlement",
        "eduperson_assurance",
        "eduperson_orcid",
        "schac_home_organization",
    ),
}
PROTOCOL_CLAIMS = ("iss", "sub", "aud", "azp", "iat", "exp", "auth_time", "nonce", "at_hash", "sid", "acr", "amr")
CLAIMS_SUPPORTED = (*PROTOCOL_CLAIMS, *(name for names in CLAIMS_OF_SCOPE.values() for name in names))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsPolicy:
    """How claims are made here.

    :param email_verified: what to say of an address that CAS released
    :param pairwise_key: for subjects that no two clients can compare
    """

    email_verified: bool
    pairwise_key: bytes

    def subject(self, identity: Identity, client: Client) -> str:
        """The `sub` for this client: the same forever, and a pairwise one for who is registered so."""
        if client.subject_type != "pairwise":
            return identity.subject
        message = f"{client.sector}\0{identity.subject}".encode()
        digest = hmac.new(self.pairwise_key, message, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def of_userinfo(
        self, identity: Identity, scope: str, client: Client, requested: Mapping[str, list[str]]
    ) -> dict[str, Any]:
        """OIDC Core §5.3.2."""
        names = [*_of_scopes(scope.split()), *requested.get("userinfo", ())]
        return {"sub": self.subject(identity, client)} | self._named(identity, client, names)

    def of_id_token(
        self, identity: Identity, scope: str, client: Client, requested: Mapping[str, list[str]]
    ) -> dict[str, Any]:
        """Who it is, how they signed in, and what was asked for by name; scopes are answered at userinfo (§5.4)."""
        del scope
        told = {"sub": self.subject(identity, client), "acr": identity.acr, "amr": list(identity.amr) or None}
        return told | self._named(identity, client, requested.get("id_token", ()))

    def _named(self, identity: Identity, client: Client, names: Iterable[str]) -> dict[str, Any]:
        """Absent rather than empty, except groups, whose absence applications take for an error."""
        allowed = set(_of_scopes(client.scopes))
        values = {name: self._value(identity, name) for name in names if name in allowed}
        return {name: value for name, value in values.items() if value is not None}

    def _value(self, identity: Identity, name: str) -> Any:
        if name == "preferred_username":
            return identity.username
        if name == "groups":
            return list(identity.groups)
        if name == "email_verified":
            return None if identity.email is None else self.email_verified
        if name in ("name", "given_name", "family_name", "email"):
            return getattr(identity, name)
        return identity.claims.get(name)


def _of_scopes(scopes: Iterable[str]) -> list[str]:
    return [name for scope in scopes for name in CLAIMS_OF_SCOPE.get(scope, ())]
