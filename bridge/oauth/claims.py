"""What an identity tells a client: by scope (OIDC Core §5.4) or by name (§5.5), under a subject (§8).

Of all that CAS released nothing leaves here but what the client is registered for: the claims of its scopes, and those
that its registration names. A pairwise client is told under names of its own, subject and session alike; what else
it may compare is decided by its scopes, since `profile` and `email` tell who somebody is.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.identity import Identity
from bridge.oauth.clients import Client
from bridge.settings.rules import EDUPERSON_CLAIMS

CLAIMS_OF_SCOPE: Mapping[str, tuple[str, ...]] = {
    "profile": ("preferred_username", "name", "given_name", "family_name"),
    "email": ("email", "email_verified"),
    "groups": ("groups",),
    "eduperson": tuple(EDUPERSON_CLAIMS),
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
        return self.subject_of(identity.subject, client)

    def subject_of(self, subject: str, client: Client) -> str:
        """Likewise, when the rest of the identity is not at hand."""
        return self._of_sector("", subject, client)

    def sid_of(self, sid: str, client: Client) -> str:
        """The `sid` for this client: one for all would let pairwise clients find out that they have the same user."""
        return self._of_sector("sid", sid, client)

    def _of_sector(self, kind: str, value: str, client: Client) -> str:
        if client.subject_type != "pairwise":
            return value
        message = "\0".join((*([kind] if kind else []), client.sector, value)).encode("utf-8", "surrogatepass")
        digest = hmac.new(self.pairwise_key, message, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def userinfo_claims(
        self, identity: Identity, scope: str, client: Client, requested: Mapping[str, list[str]]
    ) -> dict[str, Any]:
        """OIDC Core §5.3.2."""
        names = [*_of_scopes(scope.split()), *client.claims, *requested.get("userinfo", ())]
        return {"sub": self.subject(identity, client)} | self._named(identity, client, names)

    def id_token_claims(
        self, identity: Identity, scope: str, client: Client, requested: Mapping[str, list[str]]
    ) -> dict[str, Any]:
        """Who it is, how they signed in, and what was asked for by name; scopes are answered at userinfo (§5.4).

        None stands for what is not known.
        """
        del scope
        told = {"sub": self.subject(identity, client), "acr": identity.acr, "amr": list(identity.amr) or None}
        return told | self._named(identity, client, [*client.claims, *requested.get("id_token", ())])

    def _named(self, identity: Identity, client: Client, names: Iterable[str]) -> dict[str, Any]:
        """Absent rather than empty, except groups, whose absence applications take for an error."""
        allowed = {*_of_scopes(client.scopes), *client.claims}
        values = {name: self._value(identity, name) for name in names if name in allowed}
        return {name: value for name, value in values.items() if value is not None}

    def _value(self, identity: Identity, name: str) -> Any:
        if name == "preferred_username":
            return identity.username
        if name == "groups":
            return list(identity.groups)
        if name == "email_verified":
            return None if identity.email is None else self.email_verified
        if name == "amr":
            return list(identity.amr) or None
        if name in ("name", "given_name", "family_name", "email", "acr"):
            return getattr(identity, name)
        return identity.claims.get(name)


def _of_scopes(scopes: Iterable[str]) -> list[str]:
    return [name for scope in scopes for name in CLAIMS_OF_SCOPE.get(scope, ())]
