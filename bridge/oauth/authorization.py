"""The authorization request as a value (RFC 6749 §4.1.1, OIDC Core §3.1.2.1).

`authorization_checks` makes it. The store keeps it while the user is at CAS, and with the grant.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

UNCHANGED_PARAMETERS = (
    *("client_id", "response_mode", "scope", "state", "nonce", "code_challenge"),
    *("ui_locales", "login_hint", "id_token_hint"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """A request that passed every check. Stored as JSON, so field names must not change."""

    client_id: str
    redirect_uri: str
    redirect_uri_was_sent: bool
    """True if the token request must repeat it (RFC 6749 §4.1.3)."""
    scope: str
    state: str | None
    nonce: str | None
    code_challenge: str | None
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    response_mode: str = "query"
    ui_locales: str | None = None
    login_hint: str | None = None
    id_token_hint: str | None = None
    acr_values: tuple[str, ...] = ()
    claims: Mapping[str, list[str]] = field(default_factory=dict)
    """Names of individually requested claims (OIDC Core §5.5), for `userinfo` and `id_token`."""
    wanted_sub: str | None = None
    """The only acceptable user (§5.5.1)."""
    essential_acr: tuple[str, ...] = ()
    """The acceptable `acr` values; without one of them the request fails (§5.5.1.1)."""

    def to_json(self) -> str:
        """Serialize for the store."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, ensure_ascii=False)

    def for_grant(self) -> "AuthorizationRequest":
        """Return what the token endpoint needs of this request, without the longest parameters."""
        return replace(
            self,
            state=None,
            prompt=(),
            ui_locales=None,
            login_hint=None,
            id_token_hint=None,
            acr_values=(),
            essential_acr=(),
        )

    @classmethod
    def from_json(cls, text: str) -> "AuthorizationRequest":
        """Read what `to_json` wrote."""
        members = json.loads(text)
        return cls(**{**members, **{name: tuple(members[name]) for name in ("prompt", "acr_values", "essential_acr")}})

    def to_parameters(self) -> dict[str, str]:
        """Return the parameters of an equal request, for forms and redirects to the authorization endpoint."""
        sent: dict[str, str | None] = {name: getattr(self, name) for name in UNCHANGED_PARAMETERS} | {
            "response_type": "code",
            "redirect_uri": self.redirect_uri if self.redirect_uri_was_sent else None,
            "code_challenge_method": self.code_challenge and "S256",
            "prompt": " ".join(self.prompt) or None,
            "max_age": None if self.max_age is None else str(self.max_age),
            "acr_values": " ".join(self.acr_values) or None,
            "claims": self._claims_parameter(),
        }
        return {name: value for name, value in sent.items() if value is not None}

    def _claims_parameter(self) -> str | None:
        requested: dict[str, dict[str, Any]] = {place: dict.fromkeys(names) for place, names in self.claims.items()}
        if self.wanted_sub is not None:
            requested.setdefault("id_token", {})["sub"] = {"value": self.wanted_sub}
        if self.essential_acr:
            requested.setdefault("id_token", {})["acr"] = {"essential": True, "values": list(self.essential_acr)}
        return json.dumps(requested) if requested else None
