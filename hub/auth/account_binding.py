"""Who a name belongs to, where names can be changed by those who bear them.

The account here, and with it the home, goes by the name that the provider tells. At GitHub, GitLab and most OpenID
Connect providers people rename themselves, and the name of before is free for anybody. So the first sign-in keeps the
number that never changes (`sub`, `id`) beside the tokens; whoever comes with the name but not the number is refused.

Not so with the bridge, LDAP and PAM: there the institution gives out the names and nobody changes their own, and what
the bridge has for an id is made of that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

IDENTITY = "identity"
"""Where the stored state says it: the provider's address, and the number there."""

REFUSED = (
    "The account {name} of this hub was made for somebody else, who had this name at the provider before. If it is "
    "yours (you have a new account there), or to get one of your own, ask the people who run this hub."
)


def identity_of(place: str, facts: Mapping[str, Any], claim: str) -> list[str] | None:
    """What is kept of the facts that a provider told."""
    number = facts.get(claim)
    return [place, str(number)] if place and number not in (None, "") else None


def is_another(place: str, kept: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether these states are two persons'. Nothing kept, or kept of another provider, says nothing."""
    before = kept.get(IDENTITY)
    return bool(place and before and before[0] == place and before != now.get(IDENTITY))
