"""Rules that map CAS attributes to claims: known claims, their default sources, and validation of the rules.

`bridge/cas/attributes.py` applies them. Claim names come from OpenID Connect Core §5.1 and the REFEDS mapping of
eduPerson and SCHAC; SUPANN has no official mapping and follows the same pattern. eduPersonTargetedID is excluded: CAS
issues one value for this bridge, which would let clients correlate users despite pairwise subjects.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from bridge.settings.attribute_names import canonical_name
from bridge.settings.distinguished_name import parse_distinguished_name

ANYWHERE = "*"
AFFILIATION_GROUP = "affiliation:"


@dataclass(frozen=True, slots=True)
class ClaimSource:
    """The default attributes of a claim, and whether it is a list."""

    attributes: tuple[str, ...] = ()
    is_list: bool = False


_ONE, _MANY = False, True
EDUPERSON_CLAIMS: Mapping[str, ClaimSource] = {
    # "affiliation" is scoped in Shibboleth and unscoped elsewhere; the "@" in a value tells them apart.
    "eduperson_affiliation": ClaimSource(("eduPersonAffiliation", "affiliation"), _MANY),
    "eduperson_scoped_affiliation": ClaimSource(("eduPersonScopedAffiliation", "affiliation"), _MANY),
    "eduperson_primary_affiliation": ClaimSource(("eduPersonPrimaryAffiliation",), _ONE),
    "eduperson_principal_name": ClaimSource(("eduPersonPrincipalName",), _ONE),
    "eduperson_unique_id": ClaimSource(("eduPersonUniqueId",), _ONE),
    "eduperson_entitlement": ClaimSource(("eduPersonEntitlement",), _MANY),
    "eduperson_assurance": ClaimSource(("eduPersonAssurance",), _MANY),
    "eduperson_orcid": ClaimSource(("eduPersonOrcid",), _MANY),
    "eduperson_org_dn": ClaimSource(("eduPersonOrgDN",), _ONE),
    "eduperson_org_unit_dn": ClaimSource(("eduPersonOrgUnitDN",), _MANY),
    "eduperson_primary_org_unit_dn": ClaimSource(("eduPersonPrimaryOrgUnitDN",), _ONE),
    "schac_home_organization": ClaimSource(("schacHomeOrganization",), _ONE),
    "schac_home_organization_type": ClaimSource(("schacHomeOrganizationType",), _MANY),
    "schac_personal_unique_code": ClaimSource(("schacPersonalUniqueCode",), _MANY),
    "supann_activite": ClaimSource(("supannActivite",), _MANY),
    "supann_civilite": ClaimSource(("supannCivilite",), _ONE),
    "supann_emp_corps": ClaimSource(("supannEmpCorps",), _MANY),
    "supann_emp_id": ClaimSource(("supannEmpId",), _MANY),
    "supann_entite_affectation": ClaimSource(("supannEntiteAffectation",), _MANY),
    "supann_entite_affectation_principale": ClaimSource(("supannEntiteAffectationPrincipale",), _ONE),
    "supann_etablissement": ClaimSource(("supannEtablissement",), _MANY),
    "supann_etu_cursus_annee": ClaimSource(("supannEtuCursusAnnee",), _MANY),
    "supann_etu_etape": ClaimSource(("supannEtuEtape",), _MANY),
    "supann_etu_id": ClaimSource(("supannEtuId",), _MANY),
    "supann_organisme": ClaimSource(("supannOrganisme",), _ONE),
    "supann_ref_id": ClaimSource(("supannRefId",), _MANY),
    "supann_role_entite": ClaimSource(("supannRoleEntite",), _MANY),
    "supann_role_generique": ClaimSource(("supannRoleGenerique",), _MANY),
}
CLAIM_SOURCES: Mapping[str, ClaimSource] = {
    "name": ClaimSource(("displayName", "cn"), _ONE),
    "given_name": ClaimSource(("givenName",), _ONE),
    "family_name": ClaimSource(("sn",), _ONE),
    "email": ClaimSource(("mail", "email"), _ONE),
    "groups": ClaimSource(("memberOf", "isMemberOf", "groups"), _MANY),
    "acr": ClaimSource((), _ONE),
    "amr": ClaimSource((), _MANY),
    **EDUPERSON_CLAIMS,
}
DEFAULT_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    claim: source.attributes for claim, source in CLAIM_SOURCES.items()
}
# Claims that the setting `claims` of a client may name.
RELEASABLE_CLAIMS = (*CLAIM_SOURCES, "preferred_username", "email_verified")

_CUSTOM_CLAIM = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21\x23-\x5b\x5d-\x7e]{1,250}")


def is_custom_claim(name: str) -> bool:
    """Return whether a claim name is a URI, and so collides with no other (OIDC Core §5.1.2)."""
    return bool(_CUSTOM_CLAIM.fullmatch(name))


def check_releasable(names: tuple[str, ...]) -> tuple[str, ...]:
    """Reject unknown claims with a ValueError."""
    if unknown := [name for name in names if name not in RELEASABLE_CLAIMS and not is_custom_claim(name)]:
        raise ValueError(f"unknown claim: {', '.join(unknown)} (known: {', '.join(RELEASABLE_CLAIMS)})")
    return names


def check_attribute_rules(rules: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    """Merge rules into the defaults; reject invalid ones with a ValueError."""
    if unknown := sorted(name for name in rules if name not in CLAIM_SOURCES and not is_custom_claim(name)):
        known = ", ".join(CLAIM_SOURCES)
        raise ValueError(f"unknown claim: {', '.join(unknown)} (known: {known}; a custom claim must be a URI)")
    for claim, names in rules.items():
        if any(not name.strip() for name in names):
            raise ValueError(f"{claim}: an attribute name is empty")
        if len({canonical_name(name) for name in names}) < len(names):
            raise ValueError(f"{claim}: duplicate attribute")
    return {**DEFAULT_ATTRIBUTES, **rules}


def _check_base(base: str) -> str:
    if base != ANYWHERE:
        try:
            parse_distinguished_name(base)
        except ValueError as error:
            raise ValueError(f"{error}; or write {ANYWHERE!r} for any branch") from None
    return base


def _check_group_map(groups: Mapping[str, str]) -> Mapping[str, str]:
    if any(not source.strip() or not name.strip() for source, name in groups.items()):
        raise ValueError("maps from or to an empty name")
    if len({group_key(source) for source in groups}) < len(groups):
        raise ValueError("has a duplicate group: directory names are case-insensitive")
    return groups


def _check_email_template(template: str) -> str:
    local, at, domain = template.partition("@")
    if not at or "{username}" not in local or not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", domain):
        raise ValueError("must be like {username}@example.org")
    if re.search(r"[^A-Za-z0-9._+-]", local.replace("{username}", "", 1)):
        raise ValueError("may have only {username}, letters, digits and . _ + - before the @")
    return template


def _check_attribute_name(name: str) -> str:
    if not name:
        raise ValueError("is empty: remove it, or name an attribute")
    return name


def _check_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    return pattern


def group_key(value: str) -> object:
    """Return a comparison key: directory names as directories compare them, other values exactly."""
    try:
        return parse_distinguished_name(value).key()
    except ValueError:
        return value


def _check_groups_from_dn(how: str | None, info: ValidationInfo) -> str | None:
    if how is not None and info.data.get("groups_base", how) is None:  # absent if it has a fault of its own
        raise ValueError(
            "requires groups_base, the branch of the groups, such as ou=groups,dc=example,dc=org; else groups with "
            f"the same cn in other branches would be merged ({ANYWHERE!r} accepts that)"
        )
    return how


GroupsBase = Annotated[str, AfterValidator(_check_base)]
GroupMap = Annotated[Mapping[str, str], AfterValidator(_check_group_map)]
EmailTemplate = Annotated[str, AfterValidator(_check_email_template)]
AttributeName = Annotated[str, AfterValidator(_check_attribute_name)]
Pattern = Annotated[str, AfterValidator(_check_pattern)]
ClaimNames = Annotated[tuple[str, ...], AfterValidator(check_releasable)]
AttributeRules = Annotated[Mapping[str, tuple[str, ...]], AfterValidator(check_attribute_rules)]
GroupsFromDn = Annotated[Literal["cn"] | None, AfterValidator(_check_groups_from_dn)]


class FrozenModel(BaseModel):
    """Base of the settings: immutable, rejects unknown names, and never quotes a value in an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True, use_attribute_docstrings=True
    )


class ClaimRules(FrozenModel):
    """The settings that map attributes to an `Identity`."""

    attributes: AttributeRules = DEFAULT_ATTRIBUTES
    """Maps claims to CAS attributes. The first attribute with a value is used; `groups` merges all. A friendly name
    also matches its other spellings (`mail`, `urn:oid:…`). Other claims keep their defaults; an empty list disables a
    claim."""
    groups_base: GroupsBase | None = None
    """Directory branch of the groups, for `groups_from_dn`. `*` accepts any branch, if no two groups of the directory
    share a cn."""
    groups_from_dn: GroupsFromDn = None
    """`cn` shortens `cn=staff,ou=groups,…` to `staff` for groups directly below `groups_base`. Other values stay
    whole."""
    group_map: GroupMap = Field(default_factory=dict)
    """Maps whole values, as CAS releases them, to group names."""
    groups_from_affiliation: bool = False
    """Make each `eduperson_affiliation` a group as well, such as `affiliation:staff`."""
    email_template: EmailTemplate | None = None
    """Email address for users without one in CAS; `email_verified` applies to it as well."""
    subject_attribute: AttributeName | None = None
    """CAS attribute for the claim `sub`, instead of the CAS user. Login is denied unless it has exactly one value.
    Changing it changes every `sub`, so clients treat all users as new."""
    username_attribute: AttributeName | None = None
    """CAS attribute for the username (`preferred_username`), instead of the CAS user. Login is denied unless it has
    exactly one value."""
    username_case: Literal["keep", "lower"] = "lower"
    """`lower` converts the username to lower case, and the `sub` if it is the CAS user, because many CAS servers return
    a name as it was typed. A user whose name differs only in case from that of a person with another email address or
    name is denied. `keep` makes each spelling an account of its own (decision 15)."""
    username_pattern: Pattern | None = None
    """Regular expression that the whole username must match; otherwise login is denied."""
