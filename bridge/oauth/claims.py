"""Claims: by scope (OIDC Core §5.4), by name (§5.5), and subject identifiers (§8).

A client receives only the claims of its registered scopes and those its registration names. A pairwise client gets
its own `sub` and `sid`. The scopes `profile` and `email` still identify the user across clients.
"""

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
    """The rules that turn an identity into claims."""

    email_verified: bool
    """Value of `email_verified` for addresses from CAS."""
    pairwise_key: bytes
    """HMAC key of pairwise subjects."""

    def subject(self, subject: str, client: Client) -> str:
        """Return the `sub` of a subject for a client: stable, and pairwise if it is registered so."""
        return subject if client.subject_type != "pairwise" else keyed_hash(self.pairwise_key, client.sector, subject)

    def sid_of(self, sid: str, client: Client) -> str:
        """Return the `sid` for a client; a shared one would let pairwise clients correlate users."""
        return sid if client.subject_type != "pairwise" else keyed_hash(self.pairwise_key, "sid", client.sector, sid)

    def userinfo_claims(
        self, identity: Identity, scope: str, client: Client, requested: Mapping[str, list[str]]
    ) -> dict[str, Any]:
        """Return the userinfo claims (OIDC Core §5.3.2): by the token's scope, and those of the claims parameter."""
        names = [*_of_scopes(scope.split()), *client.claims, *requested.get("userinfo", ())]
        return {"sub": self.subject(identity.subject, client)} | self._named(identity, client, names)

    def id_token_claims(self, identity: Identity, client: Client, requested: Mapping[str, list[str]]) -> dict[str, Any]:
        """Return the user's claims for an ID token; those of scopes are in the userinfo response (§5.4).

        An unknown `acr` or `amr` is None.
        """
        claims = {"sub": self.subject(identity.subject, client), "acr": identity.acr, "amr": list(identity.amr) or None}
        return claims | self._named(identity, client, [*client.claims, *requested.get("id_token", ())])

    def _named(self, identity: Identity, client: Client, names: Iterable[str]) -> dict[str, Any]:
        """Omit claims without a value, except groups: applications treat missing groups as an error."""
        allowed = allowed_claims(client)
        values: dict[str, Any] = {
            **identity.claims,
            "preferred_username": identity.username,
            "groups": list(identity.groups),
            "email_verified": None if identity.email is None else self.email_verified,
            "amr": list(identity.amr) or None,
            **{name: getattr(identity, name) for name in ("name", "given_name", "family_name", "email", "acr")},
        }
        return {name: values[name] for name in names if name in allowed and values.get(name) is not None}


def allowed_claims(client: Client) -> set[str]:
    """Return the claims that a client may receive: those of its registered scopes, and those it names."""
    return {*_of_scopes(client.scopes), *client.claims}


def keyed_hash(key: bytes, *parts: str) -> str:
    """Return the HMAC-SHA-256 of the parts, in base64url without padding."""
    digest = hmac.new(key, "\0".join(parts).encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _of_scopes(scopes: Iterable[str]) -> list[str]:
    return [name for scope in scopes for name in CLAIMS_OF_SCOPE.get(scope, ())]
