"""Mapping of CAS attributes to an `Identity`, by the rules of the settings.

Attributes are lists. Values are compared whole, so two directory names that share a part stay two groups. Some releases
of CAS write a list as one string, `[staff, lab]`. Such a value is ignored, because it cannot be split reliably: a value
with a comma could forge another one.
"""

import re
from collections.abc import Iterator, Mapping

from bridge.cas.protocol import AUTHENTICATION_DATE, parse_unix_seconds
from bridge.errors import IdentityIncomplete, UpstreamMalformed
from bridge.identity import Identity
from bridge.settings.attribute_names import canonical_name, merge_spellings
from bridge.settings.distinguished_name import parse_distinguished_name
from bridge.settings.rules import AFFILIATION_GROUP, ANYWHERE, CLAIM_SOURCES, ClaimRules, group_key, is_custom_claim

NAME_MAX_CHARS = 255
LOCAL_PART_MAX_CHARS = 64  # RFC 5321 §4.5.3.1.1
ATTRIBUTE_VALUES_MAX = 2_000
UNMAPPED_VALUES_MAX = 100
UNMAPPED_MAX_CHARS = 8 * 1024

# CAS can release credentials as attributes. They are never kept.
_CREDENTIALS = frozenset({"credential", "proxygrantingticket", "proxygrantingticketiou"})
_LOCAL_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._+-]*[A-Za-z0-9_])?")
# One address: a list in one string must not become a claim.
_EMAIL = re.compile(r"[^\s@,;:<>()\[\]\"]+@[^\s@,;:<>()\[\]\"]+")
_IDENTITY_FIELDS = frozenset({"name", "given_name", "family_name", "email", "groups", "acr", "amr"})

Attributes = Mapping[str, tuple[str, ...]]


def build_identity(user: str, attributes: Attributes, rules: ClaimRules) -> Identity:
    """Apply the claim rules; raise IdentityIncomplete if CAS released no subject or username."""
    attributes = _kept_attributes(attributes, rules)
    found = merge_spellings(attributes)
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
        attributes=attributes,
        auth_time=next(map(parse_unix_seconds, attributes.get(AUTHENTICATION_DATE, ())), None),
        is_new_login=_boolean(attributes.get("isFromNewLogin", ())),
        long_term=_boolean(attributes.get("longTermAuthenticationRequestTokenUsed", ())) is True,
    )


def is_printed_list(value: str) -> bool:
    """Return whether a value is a list in one string, as Java and Python print lists."""
    text = value.strip()
    return text.startswith("[") and text.endswith("]")


def printed_lists(attributes: Attributes, rules: ClaimRules) -> list[str]:
    """Return the attributes that the rules need and that hold a list in one string."""
    needed = _mapped_names(rules)
    return [
        name
        for name, values in attributes.items()
        if canonical_name(name) in needed and any(map(is_printed_list, values))
    ]


def _mapped_names(rules: ClaimRules) -> set[str]:
    keys = [name for name in (rules.subject_attribute, rules.username_attribute) if name]
    return {canonical_name(name) for names in (keys, *rules.attributes.values()) for name in names}


def _kept_attributes(attributes: Attributes, rules: ClaimRules) -> dict[str, tuple[str, ...]]:
    """Return the attributes without credentials, and without large ones that no rule names, such as photographs."""
    mapped = _mapped_names(rules)
    kept = {
        name: values
        for name, values in attributes.items()
        if (canonical := canonical_name(name)) not in _CREDENTIALS
        and (
            canonical in mapped or (len(values) <= UNMAPPED_VALUES_MAX and sum(map(len, values)) <= UNMAPPED_MAX_CHARS)
        )
    }
    if sum(map(len, kept.values())) > ATTRIBUTE_VALUES_MAX:
        raise UpstreamMalformed(detail=f"CAS released more than {ATTRIBUTE_VALUES_MAX} attribute values")
    return kept


def _values(claim: str, found: Attributes, rules: ClaimRules) -> list[str]:
    """Return the values of the first attribute in the rule that has any."""
    for name in rules.attributes.get(claim, ()):
        values = [value for value in found.get(canonical_name(name), ()) if value.strip() and _fits(claim, value)]
        if values:
            return values
    return []


def _fits(claim: str, value: str) -> bool:
    """Return whether a value can be the claim: no printed list, one email address, the right kind of affiliation.

    Servers release both kinds of affiliation under one name, and only scoped ones have an "@".
    """
    if is_printed_list(value):
        return False
    if claim == "email":
        return _EMAIL.fullmatch(value.strip()) is not None
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
    if is_printed_list(value):
        raise IdentityIncomplete(detail=f"{attribute} is a list in one string, expected one value")
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
            if is_printed_list(value) and not mapped:
                continue
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
