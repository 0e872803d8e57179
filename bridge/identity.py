"""Who signed in: the one value that crosses from CAS to OAuth.

The store keeps it as text, so it can be written to JSON and read back without loss.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user as CAS vouched for them at one sign-in."""

    subject: str
    """The stable user key, for tokens."""
    username: str
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None
    groups: tuple[str, ...] = ()
    acr: str | None = None
    """How sure CAS was, in the words of `acr`, when a rule says which attribute tells."""
    amr: tuple[str, ...] = ()
    """By which means the user signed in, likewise."""
    claims: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Further claims that a rule made, by their OpenID Connect names: strings, or lists of strings."""
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """All that CAS released, each a list. What clients may see of it is decided by scope, not here."""
    auth_time: int | None = None
    """When the user proved who they are, in Unix seconds, as CAS says; None when CAS does not say."""
    is_new_login: bool | None = None
    """False when CAS answered from an older session, None when it does not say."""
    long_term: bool = False
    """Whether the CAS session is a "remember me" one."""
    as_of: int | None = None
    """When CAS said all this, in Unix seconds; None in what an older version stored."""

    def is_older_than(self, seconds: float, *, now: float) -> bool:
        """Whether CAS said it longer ago; what nobody dated is older than anything."""
        return self.as_of is None or now - self.as_of > seconds

    def __post_init__(self) -> None:
        # A frozen value must not change through a dictionary that someone else still holds.
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))
        object.__setattr__(self, "claims", MappingProxyType(dict(self.claims)))

    def to_json(self) -> str:
        """The same identity always gives the same text; non-ASCII and odd characters are escaped."""
        members = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(members | {"attributes": dict(self.attributes), "claims": dict(self.claims)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Identity:
        """Read what `to_json` wrote. Members that another version added are left out."""
        members = json.loads(text)
        if not isinstance(members, dict):
            raise ValueError("not an identity: the text holds no JSON object")
        known = {name: members[name] for name in cls.__slots__ if name in members}
        known["groups"] = tuple(known.get("groups", ()))
        known["amr"] = tuple(known.get("amr", ()))
        known["attributes"] = {name: tuple(values) for name, values in known.get("attributes", {}).items()}
        return cls(**known)
