"""Mapping of CAS attributes to an identity (cas.md cases 12-15)."""

import json

import pytest

from bridge.cas.attributes import ATTRIBUTE_VALUES_MAX, build_identity, printed_lists
from bridge.errors import IdentityIncomplete, UpstreamMalformed
from bridge.identity import Identity
from bridge.settings import ClaimRules
from tests.support.cas import cas_xml
from tests.support.cas.cas_responses import parse_response

RULES = ClaimRules(
    attributes={
        "name": ("displayName", "cn"),
        "given_name": ("givenName",),
        "family_name": ("sn",),
        "email": ("mail", "email"),
        "groups": ("groups", "memberOf"),
    }
)


def identity(**attributes: tuple[str, ...]) -> Identity:
    return build_identity("alice", attributes, RULES)


def test_claims_come_from_mapped_attributes() -> None:
    found = identity(
        displayName=("Alice L.",), givenName=("Alice",), sn=("Liddell",), mail=("a@x.org",), groups=("staff",)
    )
    assert (found.subject, found.username) == ("alice", "alice")
    assert (found.name, found.given_name, found.family_name) == ("Alice L.", "Alice", "Liddell")
    assert (found.email, found.groups) == ("a@x.org", ("staff",))


def test_first_non_empty_value_wins() -> None:
    assert identity(displayName=("", "Alice"), cn=("other",)).name == "Alice"
    assert identity(displayName=("",), cn=("other",)).name == "other"
    assert identity(email=("b@x.org",), mail=("a@x.org",)).email == "a@x.org"


def test_user_without_attributes_or_rules() -> None:
    assert identity() == Identity(subject="alice", username="alice")
    assert build_identity("alice", {"mail": ("a@x.org",)}, ClaimRules(attributes={"email": ()})).email is None


def test_attribute_named_user_is_not_the_user_cas5() -> None:
    assert identity(user=("admin",)).subject == "alice"


def test_groups_are_merged_in_order() -> None:
    found = identity(memberOf=("b", "a", ""), groups=("c", "b"))
    assert found.groups == ("c", "b", "a")


def test_equal_cn_in_two_branches_stays_two_groups() -> None:
    names = ("cn=admins,ou=math", "cn=admins,ou=physics")
    assert identity(memberOf=names).groups == names


def test_groups_are_compared_whole_cas13() -> None:
    rules = ClaimRules(attributes={"groups": ("affiliation",)})
    found = build_identity("alice", {"affiliation": ("administration-student",)}, rules)
    assert found.groups == ("administration-student",)
    assert "admin" not in found.groups


def test_attribute_styles_give_equal_identities_cas12() -> None:
    found = {
        (build_identity(answer.user, answer.attributes, RULES).to_json())
        for answer in map(parse_response, cas_xml.STYLES.values())
    }
    assert len(found) == 1


def test_special_values_survive_json_cas14() -> None:
    odd = {"displayName": ("<&>\"'", "\u2028"), "__proto__": ("x" * 5_000,), "Ünï": ("",)}
    found = build_identity("Carol.O'Neil@example.org", odd, RULES)
    assert json.loads(found.to_json())["attributes"] == {name: list(values) for name, values in odd.items()}


@pytest.mark.parametrize(
    "value",
    [
        "[first@x.org, second@x.org]",
        "['first@x.org', 'second@x.org']",
        "[first@x.org]",
        "first@x.org, second@x.org",
        "first@x.org;second@x.org",
        "First <first@x.org>",
        "not an address",
    ],
)
def test_email_is_one_address_or_absent(value: str) -> None:
    assert identity(mail=(value,)).email is None
    assert identity(mail=(value, "a@x.org")).email == "a@x.org"


def test_printed_list_is_no_group() -> None:
    assert identity(groups=("[staff, lab]", "[staff]", "['a', 'b']", "[]", "math")).groups == ("math",)


def test_printed_list_becomes_group_only_by_rule() -> None:
    rules = ClaimRules(group_map={"[staff, lab]": "staff-and-lab"})
    assert build_identity("alice", {"memberOf": ("[staff, lab]",)}, rules).groups == ("staff-and-lab",)


def test_printed_list_is_no_name_and_no_affiliation() -> None:
    found = build_identity(
        "alice", {"displayName": ("[A, B]",), "cn": ("Alice",), "affiliation": ("[staff, member]",)}, ClaimRules()
    )
    assert found.name == "Alice"
    assert "eduperson_affiliation" not in found.claims


@pytest.mark.parametrize("rule", ["subject_attribute", "username_attribute"])
def test_printed_list_identifies_no_user(rule: str) -> None:
    with pytest.raises(IdentityIncomplete) as caught:
        build_identity("alice", {"uid": ("[alice, bob]",)}, ClaimRules(**{rule: "uid"}))
    assert "list in one string" in caught.value.detail


def test_printed_lists_are_reported_by_name() -> None:
    attributes = {"mail": ("[a@x.org, b@x.org]",), "memberOf": ("staff",), "unused": ("[x]",)}
    assert printed_lists(attributes, RULES) == ["mail"]


def test_large_unmapped_attributes_are_dropped() -> None:
    found = identity(
        jpegPhoto=("x" * 100_000,), entitlements=tuple(map(str, range(3_000))), note=("kept",), memberOf=("y" * 10_000,)
    )
    assert set(found.attributes) == {"note", "memberOf"}
    assert found.groups == ("y" * 10_000,)


def test_2000_values_are_the_limit_cas14() -> None:
    values = tuple(map(str, range(ATTRIBUTE_VALUES_MAX)))
    assert identity(memberOf=values).groups == values
    with pytest.raises(UpstreamMalformed):
        identity(memberOf=(*values, "more"))


@pytest.mark.parametrize("name", ["credential", "Credential", "proxyGrantingTicket", "proxyGrantingTicketIou"])
def test_credentials_are_not_kept(name: str) -> None:
    assert identity(mail=("a@x.org",), **{name: ("secret",)}).attributes == {"mail": ("a@x.org",)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2019-09-05T12:40:08.014Z[UTC]", 1567687208, id="cas15-java-utc"),
        pytest.param("2019-09-05T13:40:08.014+01:00[Europe/Berlin]", 1567687208, id="cas15-java-zone"),
        pytest.param("2019-09-05T12:40:08.920747Z", 1567687208, id="cas15-microseconds"),
        pytest.param("2019-09-05T12:40:08.123456789Z", 1567687208, id="cas15-nanoseconds"),
        pytest.param("2019-09-05T12:40:08+00:00", 1567687208, id="cas15-offset"),
        pytest.param("Tue May 19 02:20:19 UTC 2015", None, id="cas15-java-date"),
        pytest.param("2019-09-05T12:40:08", None, id="cas15-no-offset"),
        pytest.param("2019-09-05", None, id="cas15-day-only"),
        pytest.param("0001-01-01T00:00:00+14:00", None, id="cas15-year-one"),
        pytest.param("9999-12-31T23:59:59-14:00", 253402351199, id="cas15-last-year"),
        pytest.param("1567687208", 1567687208, id="cas15-seconds"),
        pytest.param("1567687208.693936965", 1567687208, id="cas15-seconds-of-apereo-in-json"),
        pytest.param("1567687208014", None, id="cas15-milliseconds"),
        pytest.param("1567687208.", None, id="cas15-half-a-number"),
        pytest.param("-1567687208", None, id="cas15-before-1970"),
        pytest.param("", None, id="cas15-empty"),
        pytest.param("[UTC]", None, id="cas15-only-a-zone"),
        pytest.param("garbage\x00", None, id="cas15-garbage"),
    ],
)
def test_auth_time_is_correct_or_absent(text: str, expected: int | None) -> None:
    assert identity(authenticationDate=(text,)).auth_time == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [(("true",), True), (("False",), False), (("maybe",), None), (("",), None), ((), None)],
)
def test_new_login_flag_is_read(values: tuple[str, ...], expected: bool | None) -> None:
    assert identity(isFromNewLogin=values).is_new_login is expected


def test_long_term_session_flag_is_read() -> None:
    assert identity(longTermAuthenticationRequestTokenUsed=("true",)).long_term is True
    assert identity(longTermAuthenticationRequestTokenUsed=("false",)).long_term is False
    assert identity().long_term is False
