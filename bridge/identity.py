"""The user that CAS authenticated: the only value that passes from `bridge.cas` to `bridge.oauth`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user, as CAS described them at one login."""

    subject: str
    """Stable identifier of the user in tokens."""
    username: str
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None
    groups: tuple[str, ...] = ()
    acr: str | None = None
    """Authentication context class, if a rule maps it."""
    amr: tuple[str, ...] = ()
    """Authentication methods, if a rule maps them."""
    claims: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Further mapped claims: strings, or lists of strings."""
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """All released attributes. Scopes decide which of them clients receive."""
    auth_time: int | None = None
    """Time of the authentication at CAS in Unix seconds, if CAS reports it."""
    is_new_login: bool | None = None
    """False if CAS used an older session; None if it does not report this."""
    long_term: bool = False
    """True for a "remember me" session of CAS."""
    as_of: int | None = None
    """Time of the validation in Unix seconds; None in records of older versions."""

    def is_older_than(self, seconds: float, *, now: float) -> bool:
        """Return whether the validation is older than an age in seconds, or undated."""
        return self.as_of is None or now - self.as_of > seconds

    def __post_init__(self) -> None:
        # A frozen value must not change through a dictionary that the caller still holds.
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))
        object.__setattr__(self, "claims", MappingProxyType(dict(self.claims)))

    def to_json(self) -> str:
        """Serialize; equal identities give equal text."""
        members = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(members | {"attributes": dict(self.attributes), "claims": dict(self.claims)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Deserialize the output of `to_json`; unknown members of other versions are ignored."""
        members = json.loads(text)
        if not isinstance(members, dict):
            raise ValueError("an identity must be a JSON object")
        known = {name: members[name] for name in cls.__slots__ if name in members}
        known["groups"] = tuple(known.get("groups", ()))
        known["amr"] = tuple(known.get("amr", ()))
        known["attributes"] = {name: tuple(values) for name, values in known.get("attributes", {}).items()}
        return cls(**known)
