"""Rules for groups: comparison of directory names, and groups of other branches."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.cas.attributes import build_identity
from bridge.identity import Identity
from bridge.settings import ClaimRules
from bridge.settings.distinguished_name import parse_distinguished_name
from tests.unit.bridge.settings.test_settings import loaded

BASE = "ou=groups,dc=example,dc=org"
FROM_DN = ClaimRules(groups_from_dn="cn", groups_base=BASE)


def identity(rules: ClaimRules | None = None, user: str = "alice", **attributes: tuple[str, ...] | str) -> Identity:
    lists = {name: (value,) if isinstance(value, str) else value for name, value in attributes.items()}
    return build_identity(user, lists, rules or ClaimRules())


# --- distinguished names

CN = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)


def escaped(value: str) -> str:
    """Encode every special character as octets (RFC 4514 §2.4)."""
    return "".join(c if c.isascii() and c.isalnum() else "".join(f"\\{o:02x}" for o in c.encode()) for c in value)


@given(CN, st.lists(CN, max_size=3))
def test_distinguished_name_round_trip(cn: str, branch: list[str]) -> None:
    name = parse_distinguished_name(",".join([f"cn={escaped(cn)}", *(f"ou={escaped(part)}" for part in branch)]))
    assert name.common_name == cn
    assert [part[0][1] for part in name.parts[1:]] == branch


@given(CN)
def test_special_characters_may_be_escaped_individually(cn: str) -> None:
    text = "".join(f"\\{c}" if c in ' "#+,;<=>\\' else c for c in cn)
    assert parse_distinguished_name(f"cn={text},dc=x").common_name == cn


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_rejected(text: str) -> None:
    with suppress(ValueError):
        assert parse_distinguished_name(text).parts


@given(CN, CN)
def test_value_cannot_forge_a_group_of_another_branch(cn: str, branch: str) -> None:
    assume(" ".join(branch.casefold().split()) != "groups")
    found = identity(FROM_DN, memberOf=f"cn={escaped(cn)},ou={escaped(branch)},dc=example,dc=org")
    assert found.groups[0].startswith("cn=")


@given(CN)
def test_cn_never_reads_like_a_directory_name(cn: str) -> None:
    (group,) = identity(FROM_DN, memberOf=f"cn={escaped(cn)},{BASE}").groups
    assert group == f"cn={escaped(cn)},{BASE}" or (group == cn and "=" not in cn)


@pytest.mark.parametrize(
    "text", ["", "staff", "cn", "cn=a,", ",cn=a", "cn=a;dc=x", 'cn="a"', "cn=a\\", "cn=\\zz", "1=a"]
)
@pytest.mark.parametrize("rules", [FROM_DN, ClaimRules(groups_from_dn="cn", groups_base="*")])
def test_other_values_are_groups_as_they_are(text: str, rules: ClaimRules) -> None:
    assert identity(rules, memberOf=text).groups == ((text,) if text else ())


@pytest.mark.parametrize(
    "text", [" " * 60_000, "cn=" + " " * 60_000 + '"', "cn=" + "\\41" * 20_000 + '"', "1." * 30_000]
)
def test_parsing_takes_linear_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"distinguished|escaped"):
        parse_distinguished_name(text)


# --- groups


@pytest.mark.parametrize(
    ("value", "group"),
    [
        (f"cn=staff,{BASE}", "staff"),
        ("CN=Staff,OU=Groups,DC=Example, DC=org", "Staff"),
        (f"commonName=staff,{BASE}", "staff"),
        (f"cn=R\\26D\\, B,{BASE}", "R&D, B"),
        (f"cn=\\c3\\a9quipe,{BASE}", "équipe"),
    ],
)
def test_group_directly_below_base_is_named_by_cn(value: str, group: str) -> None:
    assert identity(FROM_DN, memberOf=value).groups == (group,)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("cn=admins,ou=wiki,dc=example,dc=org", id="another-branch"),
        pytest.param(f"cn=admins,ou=math,{BASE}", id="deeper"),
        pytest.param("cn=admins", id="no-branch"),
        pytest.param(f"cn=admins,{BASE},dc=evil", id="the-base-is-not-the-end"),
        pytest.param("cn=admins\\,ou\\=groups\\,dc\\=example\\,dc\\=org", id="escaped-branch"),
        pytest.param(f"cn=admins+ou=math,{BASE}", id="two-names-in-one"),
        pytest.param(f"cn=cn\\=admins\\,ou\\=root,{BASE}", id="a-cn-like-a-name"),
        pytest.param(f"ou=admins,{BASE}", id="no-cn"),
        pytest.param(f"cn=#61646d696e73,{BASE}", id="hexadecimal"),
        pytest.param(f"cn=\\ admins,{BASE}", id="space-before"),
        pytest.param(f"cn=admins\\00,{BASE}", id="control-character"),
        pytest.param(f"cn=,{BASE}", id="empty"),
        pytest.param(f"cn=\\ff,{BASE}", id="not-text"),
    ],
)
def test_other_names_stay_whole(value: str) -> None:
    assert identity(FROM_DN, memberOf=(value,)).groups == (value,)


def test_equal_cn_merge_only_if_configured() -> None:
    both = ("cn=admins,ou=a,dc=x", "cn=admins,ou=b,dc=x")
    assert identity(ClaimRules(groups_from_dn="cn", groups_base="*"), memberOf=both).groups == ("admins",)
    assert identity(FROM_DN, memberOf=both).groups == both


def test_affiliation_is_compared_whole() -> None:
    rules = loaded(attributes='{"groups": ["eduPersonAffiliation"]}', groups_from_affiliation="true")
    found = identity(rules, eduPersonAffiliation="administration-student")
    assert found.groups == ("administration-student", "affiliation:administration-student")
    assert "admin" not in found.groups


def test_group_cannot_pass_as_affiliation() -> None:
    rules = ClaimRules(groups_from_affiliation=True)
    found = identity(rules, memberOf=("affiliation:staff", "x"), eduPersonAffiliation="student")
    assert found.groups == ("x", "affiliation:student")
    assert identity(memberOf="affiliation:staff").groups == ("affiliation:staff",)


def test_groups_are_renamed_by_whole_name() -> None:
    rules = loaded(
        group_map=json.dumps({f"cn=jupyter-admins,{BASE}": "admins", "old": "new"}),
        groups_base=BASE,
        groups_from_dn="cn",
    )
    member = (f"CN=Jupyter-Admins, {BASE}", "old", "Old", "older", f"cn=staff,{BASE}")
    assert identity(rules, memberOf=member).groups == ("admins", "new", "Old", "older", "staff")
