"""Rules for claims: known attributes, email addresses, usernames and invalid rules."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.cas.attributes import build_identity
from bridge.errors import IdentityIncomplete
from bridge.identity import Identity
from bridge.settings import ClaimRules
from bridge.settings.attribute_names import canonical_name
from bridge.settings.rules import CLAIM_SOURCES
from tests.unit.bridge.settings.test_settings import faults, loaded

BASE = "ou=groups,dc=example,dc=org"
FROM_DN = ClaimRules(groups_from_dn="cn", groups_base=BASE)


def identity(rules: ClaimRules | None = None, user: str = "alice", **attributes: tuple[str, ...] | str) -> Identity:
    lists = {name: (value,) if isinstance(value, str) else value for name, value in attributes.items()}
    return build_identity(user, lists, rules or ClaimRules())


# --- known attributes


@pytest.mark.parametrize(
    ("names", "claim"),
    [
        (
            ("eduPersonAffiliation", "urn:oid:1.3.6.1.4.1.5923.1.1.1.1", "unscoped-affiliation", "affiliation"),
            "eduperson_affiliation",
        ),
        (("eduPersonEntitlement", "urn:oid:1.3.6.1.4.1.5923.1.1.1.7", "entitlement"), "eduperson_entitlement"),
        (("eduPersonAssurance", "urn:oid:1.3.6.1.4.1.5923.1.1.1.11", "assurance"), "eduperson_assurance"),
        (("eduPersonOrcid", "urn:oid:1.3.6.1.4.1.5923.1.1.1.16", "EDUPERSONORCID"), "eduperson_orcid"),
        (("schacHomeOrganizationType", "urn:oid:1.3.6.1.4.1.25178.1.2.10"), "schac_home_organization_type"),
        (("schacPersonalUniqueCode", "urn:schac:attribute-def:schacPersonalUniqueCode"), "schac_personal_unique_code"),
        (("supannEntiteAffectation", "urn:oid:1.3.6.1.4.1.7135.1.2.1.8"), "supann_entite_affectation"),
        (("supannEtablissement", "urn:oid:1.3.6.1.4.1.7135.1.2.1.14"), "supann_etablissement"),
    ],
)
def test_multi_valued_claims_are_always_lists(names: tuple[str, ...], claim: str) -> None:
    for name in names:
        assert build_identity("alice", {name: ("staff",)}, ClaimRules()).claims == {claim: ["staff"]}, name


@pytest.mark.parametrize(
    ("names", "claim"),
    [
        (
            ("eduPersonPrincipalName", "urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "eppn", "urn_oid_1.3.6.1.4.1.5923.1.1.1.6"),
            "eduperson_principal_name",
        ),
        (("eduPersonUniqueId", "oid:1.3.6.1.4.1.5923.1.1.1.13"), "eduperson_unique_id"),
        (
            ("eduPersonPrimaryAffiliation", "urn:mace:dir:attribute-def:eduPersonPrimaryAffiliation"),
            "eduperson_primary_affiliation",
        ),
        (
            ("schacHomeOrganization", "urn:oid:1.3.6.1.4.1.25178.1.2.9", "schachomeorganization"),
            "schac_home_organization",
        ),
        (
            ("supannEntiteAffectationPrincipale", "urn:oid:1.3.6.1.4.1.7135.1.2.1.13"),
            "supann_entite_affectation_principale",
        ),
    ],
)
def test_single_valued_claims_are_strings(names: tuple[str, ...], claim: str) -> None:
    for name in names:
        assert build_identity("alice", {name: ("a", "b")}, ClaimRules()).claims == {claim: "a"}, name


def test_names_and_addresses_match_oids() -> None:
    oids = {
        "urn:oid:2.5.4.42": ("Alice",),
        "urn:oid:2.5.4.4": ("L",),
        "urn:oid:0.9.2342.19200300.100.1.3": ("a@x.org",),
    }
    found = build_identity("alice", {**oids, "urn:oid:2.16.840.1.113730.3.1.241": ("Alice L",)}, ClaimRules())
    assert (found.given_name, found.family_name, found.email, found.name) == ("Alice", "L", "a@x.org", "Alice L")


def test_affiliation_with_at_sign_is_scoped() -> None:
    told = identity(affiliation=("staff", "staff@example.org", "member")).claims
    assert told["eduperson_affiliation"] == ["staff", "member"]
    assert told["eduperson_scoped_affiliation"] == ["staff@example.org"]


def test_two_spellings_of_an_attribute_are_merged() -> None:
    both = {"eduPersonAffiliation": ("staff",), "urn:oid:1.3.6.1.4.1.5923.1.1.1.1": ("staff", "member")}
    assert build_identity("alice", both, ClaimRules()).claims["eduperson_affiliation"] == ["staff", "member"]


def test_targeted_id_is_not_released() -> None:
    assert identity(eduPersonTargetedID="x").claims == {}


def test_unknown_attribute_name_is_unchanged() -> None:
    assert canonical_name("urn:oid:9.9.9") == "9.9.9"
    assert canonical_name("department") == "department"
    assert canonical_name("mailHost") != canonical_name("mail")


def test_acr_and_amr_come_only_from_rules() -> None:
    assert (identity(authnContextClass="mfa-duo").acr, identity(amr="pwd").amr) == (None, ())
    rules = loaded(attributes='{"acr": ["authnContextClass"], "amr": ["methods"]}')
    found = identity(rules, authnContextClass="mfa-duo", methods=("pwd", "otp"))
    assert (found.acr, found.amr) == ("mfa-duo", ("pwd", "otp"))


def test_custom_claim_is_a_uri_and_a_list() -> None:
    rules = loaded(attributes='{"https://example.org/claims/office": ["roomNumber"]}')
    assert identity(rules, roomNumber="A1").claims == {"https://example.org/claims/office": ["A1"]}


def test_empty_attribute_list_disables_claim() -> None:
    rules = loaded(attributes='{"eduperson_affiliation": []}')
    assert identity(rules, eduPersonAffiliation="staff", eduPersonOrcid="o").claims == {"eduperson_orcid": ["o"]}


# --- e-mail


def test_email_template_fills_missing_address() -> None:
    rules = ClaimRules(email_template="{username}@example.org")
    assert identity(rules).email == "alice@example.org"
    assert identity(rules, mail="a@x.org").email == "a@x.org"
    assert identity(rules, mail=("", " ")).email == "alice@example.org"
    assert identity().email is None


@pytest.mark.parametrize(
    "user", ["a@evil.org", "a b", "a,b@c", "é", "a..b", ".a", "a.", "a\u2028", "x" * 65, '"a"', "a<b"]
)
def test_email_template_rejects_unsafe_usernames(user: str) -> None:
    assert identity(ClaimRules(email_template="{username}@example.org"), user).email is None


# --- identifiers


def test_username_case_is_lowered_unless_configured() -> None:
    assert (identity(user="Alice").username, identity(user="Alice").subject) == ("alice", "alice")
    kept = identity(ClaimRules(username_case="keep"), "Alice")
    assert (kept.username, kept.subject) == ("Alice", "Alice")


def test_subject_and_username_attributes() -> None:
    rules = ClaimRules(subject_attribute="eduPersonUniqueId", username_attribute="uid", username_case="lower")
    found = identity(rules, "a@x", **{"urn:oid:1.3.6.1.4.1.5923.1.1.1.13": "AbC@x", "UID": ("Alice", "Alice")})
    assert (found.subject, found.username) == ("AbC@x", "alice")


@pytest.mark.parametrize("rule", ["subject_attribute", "username_attribute"])
@pytest.mark.parametrize("values", [(), ("",), ("a", "b"), ("a\x00",), ("x" * 256,), ("a\nb",)])
def test_missing_identifier_denies_login(rule: str, values: tuple[str, ...]) -> None:
    with pytest.raises(IdentityIncomplete) as raised:
        identity(ClaimRules.model_validate({rule: "uid"}), uid=values)
    assert raised.value.code == "access_denied"


@pytest.mark.parametrize("user", ["root", "alice\n", "-alice", "", "a" * 40])
def test_username_pattern_mismatch_denies_login(user: str) -> None:
    rules = loaded(username_pattern="[a-z]{5,20}")
    assert identity(rules).username == "alice"
    with pytest.raises(IdentityIncomplete):
        identity(rules, user)


@given(st.dictionaries(st.text(max_size=8) | st.sampled_from(sorted(CLAIM_SOURCES)), st.lists(st.text()).map(tuple)))
def test_any_attributes_give_a_storable_identity(attributes: dict[str, tuple[str, ...]]) -> None:
    for rules in (ClaimRules(groups_from_affiliation=True, email_template="{username}@x.org"), FROM_DN):
        found = build_identity("alice", attributes, rules)
        assert Identity.from_json(found.to_json()) == found


# --- invalid rules


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"attributes": '{"group": ["memberOf"]}'}, "unknown claim: group (known: name, given_name"),
        ({"attributes": '{"https:": ["x"]}'}, "unknown claim: https:"),
        ({"attributes": '{"groups": ["memberOf", "MEMBEROF"]}'}, "duplicate attribute"),
        ({"attributes": '{"email": ["mail", "urn:oid:0.9.2342.19200300.100.1.3"]}'}, "duplicate attribute"),
        ({"attributes": '{"email": [" "]}'}, "an attribute name is empty"),
        ({"attributes": '{"email": "mail"}'}, "must be a list"),
        ({"groups_from_dn": "cn"}, "requires groups_base"),
        ({"groups_from_dn": "ou", "groups_base": "*"}, "Input should be 'cn'"),
        ({"groups_base": "groups"}, "is not a distinguished name"),
        ({"groups_base": "ou=a\\"}, "escaped with a backslash"),
        ({"group_map": '{"a": ""}'}, "to an empty name"),
        ({"group_map": '{"cn=a,dc=x": "a", "CN=A, DC=X": "b"}'}, "has a duplicate group"),
        ({"group_map": "a=b"}, "is not valid JSON"),
        ({"email_template": "{uid}@example.org"}, "must be like {username}@example.org"),
        ({"email_template": "{username}"}, "must be like"),
        ({"email_template": "{username}@{username}.org"}, "must be like"),
        ({"email_template": "{username}{x}@example.org"}, "may have only"),
        ({"email_template": "{username}@example"}, "must be like"),
        ({"username_case": "upper"}, "'keep' or 'lower'"),
        ({"username_pattern": "("}, "is not a regular expression"),
    ],
)
def test_invalid_rule_is_reported(settings: dict[str, str], says: str) -> None:
    (fault,) = faults(**settings)
    assert fault.startswith(f"PASSERELLE_{next(iter(settings)).upper()}")
    assert says in fault


def test_invalid_rules_are_listed_with_other_faults() -> None:
    assert len(faults(groups_from_dn="cn", email_template="x", attributes='{"x": []}', issuer="https://x/")) == 4


@pytest.mark.parametrize(
    ("client", "says"),
    [
        ({"claims": ["nonsense"]}, "unknown claim: nonsense"),
        ({"claims": ["sub"]}, "unknown claim: sub"),
        ({"allowed_attributes": {"uid": []}}, "every login would be denied"),
        ({"allowed_attributes": {" ": ["x"]}}, "every login would be denied"),
    ],
)
def test_invalid_client_rule_is_reported(client: dict[str, object], says: str) -> None:
    entry = {"client_id": "x", "redirect_uris": ["https://x.example.org/cb"], **client}
    (fault,) = faults(clients=json.dumps([entry]))
    assert says in fault
