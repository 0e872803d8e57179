"""Mapping of CAS attributes to an `Identity`, by the rules of the settings.

Attributes are lists. Values are compared whole, so two directory names that share a part stay two groups.
"""

import re
from collections.abc import Iterator, Mapping

from bridge.cas.protocol import AUTHENTICATION_DATE, parse_unix_seconds
from bridge.errors import IdentityIncomplete
from bridge.identity import Identity
from bridge.settings.attribute_names import canonical_name, merge_spellings
from bridge.settings.distinguished_name import parse_distinguished_name
from bridge.settings.rules import AFFILIATION_GROUP, ANYWHERE, CLAIM_SOURCES, ClaimRules, group_key, is_custom_claim

NAME_MAX_CHARS = 255
LOCAL_PART_MAX_CHARS = 64  # RFC 5321 §4.5.3.1.1

# CAS can release credentials as attributes. They are never kept.
_CREDENTIALS = frozenset({"credential", "proxygrantingticket", "proxygrantingticketiou"})
_LOCAL_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._+-]*[A-Za-z0-9_])?")
_IDENTITY_FIELDS = frozenset({"name", "given_name", "family_name", "email", "groups", "acr", "amr"})

Attributes = Mapping[str, tuple[str, ...]]


def build_identity(user: str, attributes: Attributes, rules: ClaimRules) -> Identity:
    """Apply the claim rules; raise IdentityIncomplete if CAS released no subject or username."""
    found = {name: values for name, values in merge_spellings(attributes).items() if name not in _CREDENTIALS}
    cased = user.lower() if rules.username_case == "lower" else user
    username = _username(cased, found, rules)
    claims = {claim: values for claim in rules.attributes if (values := _values(claim, found, rules))}

    def first(claim: str) -> str | None:
        return next(iter(claims.get(claim, ())), None)

    return Identity(
        subject=cased if rules.subject_attribute is None else _single_value(rules.subject_attribute, found),
        username=username,
        name=first("name"),
        given_name=first("given_name"),
        family_name=first("family_name"),
        email=first("email") or _default_email(rules.email_template, username),
        groups=tuple(dict.fromkeys(_groups(found, rules))),
        acr=first("acr"),
        amr=tuple(claims.get("amr", ())),
        # Every multi-valued claim is a list, even with one value, so that clients handle one type.
        claims={
            name: values if is_custom_claim(name) or CLAIM_SOURCES[name].is_list else values[0]
            for name, values in claims.items()
            if name not in _IDENTITY_FIELDS
        },
        attributes={name: values for name, values in attributes.items() if canonical_name(name) not in _CREDENTIALS},
        auth_time=next(map(parse_unix_seconds, attributes.get(AUTHENTICATION_DATE, ())), None),
        is_new_login=_boolean(attributes.get("isFromNewLogin", ())),
        long_term=_boolean(attributes.get("longTermAuthenticationRequestTokenUsed", ())) is True,
    )


def _values(claim: str, found: Attributes, rules: ClaimRules) -> list[str]:
    """Return the values of the first attribute in the rule that has any."""
    for name in rules.attributes.get(claim, ()):
        values = [value for value in found.get(canonical_name(name), ()) if value.strip() and _fits(claim, value)]
        if values:
            return values
    return []


def _fits(claim: str, value: str) -> bool:
    """Separate the two kinds of affiliation: servers release both under one name, and only scoped ones have an "@"."""
    if claim in ("eduperson_affiliation", "eduperson_scoped_affiliation"):
        return ("@" in value) is (claim == "eduperson_scoped_affiliation")
    return True


def _username(cased_user: str, found: Attributes, rules: ClaimRules) -> str:
    if rules.username_attribute is None:
        username = cased_user
    else:
        username = _single_value(rules.username_attribute, found)
        username = username.lower() if rules.username_case == "lower" else username
    if rules.username_pattern is not None and not re.fullmatch(rules.username_pattern, username):
        raise IdentityIncomplete(detail="the username does not match username_pattern")
    return username


def _single_value(attribute: str, found: Attributes) -> str:
    """Return the only value of an identifying attribute. There is no fallback: it could identify another user."""
    values = {value.strip() for value in found.get(canonical_name(attribute), ()) if value.strip()}
    if len(values) != 1:
        raise IdentityIncomplete(detail=f"{len(values)} values of {attribute}, expected one")
    value = values.pop()
    if len(value) > NAME_MAX_CHARS or not value.isprintable():
        raise IdentityIncomplete(detail=f"{attribute} is too long or has control characters")
    return value


def _default_email(template: str | None, username: str) -> str | None:
    """Build the address only if it needs no quoting: any other could be invalid or belong to another user."""
    if template is None or ".." in username or not _LOCAL_PART.fullmatch(username):
        return None
    email = template.replace("{username}", username)
    return email if len(email.partition("@")[0]) <= LOCAL_PART_MAX_CHARS else None


def _groups(found: Attributes, rules: ClaimRules) -> Iterator[str]:
    names = {group_key(source): name for source, name in rules.group_map.items()}
    for attribute in rules.attributes.get("groups", ()):
        for value in found.get(canonical_name(attribute), ()):
            mapped = names.get(group_key(value)) if names else None
            group = mapped or _group_name(value, rules)
            # Users may be able to create directory groups; none of those may pass as an affiliation.
            is_spoofed = rules.groups_from_affiliation and not mapped and group.startswith(AFFILIATION_GROUP)
            if group.strip() and not is_spoofed:
                yield group
    if rules.groups_from_affiliation:
        for affiliation in _values("eduperson_affiliation", found, rules):
            yield f"{AFFILIATION_GROUP}{affiliation}"


def _group_name(value: str, rules: ClaimRules) -> str:
    """Return the cn of a group directly below `groups_base`, and any other value whole.

    A cn is unique only directly below one base. A cn that reads like a directory name stays whole as well: it would
    pass as the group of that name.
    """
    if rules.groups_from_dn is None or rules.groups_base is None:
        return value
    try:
        name = parse_distinguished_name(value)
    except ValueError:
        return value
    if rules.groups_base != ANYWHERE and not name.is_directly_below(parse_distinguished_name(rules.groups_base)):
        return value
    cn = name.common_name
    return cn if cn and cn == cn.strip() and cn.isprintable() and "=" not in cn else value


def _boolean(values: tuple[str, ...]) -> bool | None:
    return {"true": True, "false": False}.get(values[0].lower()) if values else None
