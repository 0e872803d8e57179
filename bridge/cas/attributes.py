"""From the attributes that CAS released to an `Identity`, by the rules of the settings. Pure.

A rule names, for one claim, the CAS attributes it may come from, in order of preference. Attributes are lists
throughout, and values are compared and kept whole: two directory names that share a part stay two groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bridge.identity import Identity

# Tokens and passwords that CAS can release beside facts about the user. They are of no use here: not kept.
_CREDENTIALS = frozenset({"credential", "proxyGrantingTicket", "proxyGrantingTicketIou"})


def identity_from(
    user: str, attributes: Mapping[str, tuple[str, ...]], rules: Mapping[str, tuple[str, ...]]
) -> Identity:
    """Apply the rules (claim → attribute names; claims: name, given_name, family_name, email, groups)."""

    def values(claim: str) -> list[str]:
        return [value for name in rules.get(claim, ()) for value in attributes.get(name, ()) if value]

    def first(claim: str) -> str | None:
        return next(iter(values(claim)), None)

    return Identity(
        subject=user,
        username=user,
        name=first("name"),
        given_name=first("given_name"),
        family_name=first("family_name"),
        email=first("email"),
        groups=tuple(dict.fromkeys(values("groups"))),
        attributes={name: found for name, found in attributes.items() if name not in _CREDENTIALS},
        auth_time=_auth_time(attributes.get("authenticationDate", ())),
        is_new_login=_boolean(attributes.get("isFromNewLogin", ())),
        long_term=_boolean(attributes.get("longTermAuthenticationRequestTokenUsed", ())) is True,
    )


def _auth_time(values: tuple[str, ...]) -> int | None:
    """Unix seconds, or None: servers write many forms, and none of them may stop a sign-in."""
    if not values:
        return None
    # Java adds the zone's name, as in 2019-09-05T12:40:08.014Z[UTC]; the offset before it says all.
    text = values[0].partition("[")[0]
    try:
        moment = datetime.fromisoformat(text)
        # Without an offset it could be any hour of a day.
        return int(moment.timestamp()) if moment.tzinfo and moment.year >= 1970 else None
    except (ValueError, OverflowError):
        return None


def _boolean(values: tuple[str, ...]) -> bool | None:
    return {"true": True, "false": False}.get(values[0].lower()) if values else None
