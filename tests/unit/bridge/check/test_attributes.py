"""Findings about released attributes, and the attributes to request."""

from __future__ import annotations

from bridge.check.attributes import RequestedAttribute, evaluate_sessions, requested_attributes
from bridge.identity import Identity
from bridge.settings import ClaimRules, ClientSettings
from bridge.settings.rules import check_attribute_rules
from bridge.store import Session
from tests.support.bridge.check_values import NOW

FULL = {
    "displayName": ("Alice",),
    "givenName": ("Alice",),
    "sn": ("L",),
    "mail": ("a@example.org",),
    "memberOf": ("x",),
}

ONLY_FACTS = {"authenticationDate": ("x",), "isFromNewLogin": ("true",), "credentialType": ("y",), "mail": (" ",)}


def session(attributes: dict[str, tuple[str, ...]], *, ago: int = 60) -> Session:
    identity = Identity(subject="alice", username="alice", attributes=attributes)
    began, ends = int(NOW) - ago, int(NOW)
    return Session(sid=str(ago), cookie_hash="", identity=identity, auth_time=None, created_at=began, expires_at=ends)


def evaluated(*sessions: Session, rules: ClaimRules | None = None, protocol: str = "3.0") -> dict[str, tuple[str, str]]:
    rules = rules or ClaimRules()
    found = evaluate_sessions(sessions, rules, requested_attributes(rules, ()), protocol, NOW)
    return {one.id.removeprefix("attributes."): (one.level, f"{one.seen} {one.do}") for one in found}


def test_no_session_is_note() -> None:
    level, words = evaluated()["released"]
    assert level == "note"
    assert "Sign in once" in words


def test_sign_in_facts_are_not_attributes() -> None:
    level, words = evaluated(session(ONLY_FACTS), session({}, ago=90))["released"]
    assert level == "FAULT"
    assert "the last 2 sign-ins (1 minute ago)" in words
    assert "displayName" in words


def test_protocol_1_0_explains_missing_attributes() -> None:
    assert "PASSERELLE_CAS_PROTOCOL=3.0" in evaluated(session({}), protocol="1.0")["released"][1]


def test_protocol_2_0_without_attributes_suggests_saml() -> None:
    assert "PASSERELLE_CAS_PROTOCOL=saml1.1" in evaluated(session({}), protocol="2.0")["released"][1]


def test_printed_list_is_warning() -> None:
    level, words = evaluated(session({**FULL, "memberOf": ("[staff, lab]",)}))["lists"]
    assert (level, "memberOf" in words) == ("warning", True)
    assert "lists" not in evaluated(session({**FULL, "unused": ("[staff, lab]",)}))


def test_attributes_that_stopped_are_warning() -> None:
    level, words = evaluated(session(ONLY_FACTS), session(FULL, ago=7200))["released"]
    assert level == "warning"
    assert "earlier ones brought displayName" in words


def test_full_release_is_ok_and_named() -> None:
    found = evaluated(session(FULL))
    assert [level for level, _ in found.values()] == ["ok", "ok"]
    assert "memberOf" in found["released"][1]


def test_empty_claim_is_named_with_attributes() -> None:
    level, words = evaluated(session({name: FULL[name] for name in ("displayName", "givenName", "sn")}))["claims"]
    assert level == "warning"
    assert "email (from mail or email)" in words
    assert evaluated(session({name: FULL[name] for name in FULL if name != "memberOf"}))["claims"][0] == "note"


def test_rules_rejecting_newest_user_are_fault() -> None:
    assert evaluated(session(FULL), rules=ClaimRules(subject_attribute="uid"))["claims"][0] == "FAULT"


def test_oid_name_counts_as_attribute() -> None:
    given = {"urn:oid:0.9.2342.19200300.100.1.3": ("a@example.org",), **{n: FULL[n] for n in FULL if n != "mail"}}
    assert evaluated(session(given))["claims"][0] == "ok"


def test_requested_attributes_follow_rules_and_clients() -> None:
    rules = ClaimRules(
        attributes=check_attribute_rules({"given_name": (), "supann_emp_id": ("employeeId",)}), subject_attribute="uid"
    )
    client = ClientSettings(
        client_id="wiki",
        redirect_uris=("https://wiki.example.org/cb",),
        scopes=("openid", "profile"),
        claims=("eduperson_orcid",),
        allowed_attributes={"eduPersonEntitlement": ("x",)},
    )
    assert requested_attributes(rules, [client]) == [
        RequestedAttribute(("uid",), "sub"),
        RequestedAttribute(("displayName", "cn"), "name"),
        RequestedAttribute(("sn",), "family_name"),
        RequestedAttribute(("employeeId",), "supann_emp_id"),
        RequestedAttribute(("eduPersonOrcid",), "eduperson_orcid"),
        RequestedAttribute(("eduPersonEntitlement",), "access"),
    ]


def test_groups_of_access_rules_are_requested() -> None:
    client = ClientSettings(
        client_id="wiki",
        redirect_uris=("https://wiki.example.org/cb",),
        scopes=("openid",),
        allowed_groups=("staff",),
    )
    groups = ClaimRules().attributes["groups"]
    assert requested_attributes(ClaimRules(), [client]) == [RequestedAttribute(groups, "access")]
    with_scope = client.model_copy(update={"scopes": ("groups",)})
    assert [attribute.purpose for attribute in requested_attributes(ClaimRules(), [with_scope])] == ["groups"]
