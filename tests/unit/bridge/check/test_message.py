"""What CAS releases, what it should release, and how those who run it are asked for it."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from bridge.check.findings import Told, fault
from bridge.check.message import LANGUAGES, Language, Request, message
from bridge.check.released import BackupRequest, judge_released, wishes
from bridge.identity import Identity
from bridge.settings import ClaimRules, ClientSettings
from bridge.settings.rules import check_attribute_rules
from bridge.store import Session

NOW = 1_800_000_000
ONLY_FACTS = {"authenticationDate": ("x",), "isFromNewLogin": ("true",), "credentialType": ("y",), "mail": (" ",)}
FULL = {
    "displayName": ("Alice",),
    "givenName": ("Alice",),
    "sn": ("L",),
    "mail": ("a@example.org",),
    "memberOf": ("x",),
}


def session(attributes: dict[str, tuple[str, ...]], *, ago: int = 60) -> Session:
    identity = Identity(subject="alice", username="alice", attributes=attributes)
    began = NOW - ago
    return Session(sid=str(ago), cookie_hash="", identity=identity, auth_time=None, created_at=began, expires_at=NOW)


def judged(*sessions: Session, rules: ClaimRules | None = None, protocol: str = "3.0") -> dict[str, tuple[str, str]]:
    rules = rules or ClaimRules()
    found = judge_released(sessions, rules, wishes(rules, ()), protocol, NOW)
    return {one.about.removeprefix("attributes."): (one.level, f"{one.seen} {one.do}") for one in found}


def test_before_anybody_signed_in_nothing_is_known() -> None:
    level, words = judged()["released"]
    assert level == "note"
    assert "Sign in once" in words


def test_facts_about_the_sign_in_are_no_attributes() -> None:
    level, words = judged(session(ONLY_FACTS), session({}, ago=90))["released"]
    assert level == "FAULT"
    assert "the last 2 sign-ins (1 minute ago)" in words
    assert "displayName" in words


def test_protocol_1_0_is_why_there_are_none() -> None:
    assert "PASSERELLE_CAS_PROTOCOL=3.0" in judged(session({}), protocol="1.0")["released"][1]


def test_attributes_that_stopped_coming_are_a_warning() -> None:
    level, words = judged(session(ONLY_FACTS), session(FULL, ago=7200))["released"]
    assert level == "warning"
    assert "earlier ones brought displayName" in words


def test_a_full_release_is_ok_and_names_what_came() -> None:
    found = judged(session(FULL))
    assert [level for level, _ in found.values()] == ["ok", "ok"]
    assert "memberOf" in found["released"][1]


def test_a_claim_that_stays_empty_is_named_with_where_it_would_come_from() -> None:
    level, words = judged(session({name: FULL[name] for name in ("displayName", "givenName", "sn")}))["claims"]
    assert level == "warning"
    assert "email (from mail or email)" in words
    assert judged(session({name: FULL[name] for name in FULL if name != "memberOf"}))["claims"][0] == "note"


def test_rules_that_would_refuse_the_last_user_are_a_fault() -> None:
    assert judged(session(FULL), rules=ClaimRules(subject_attribute="uid"))["claims"][0] == "FAULT"


def test_oddly_written_names_count_as_the_attribute() -> None:
    given = {"urn:oid:0.9.2342.19200300.100.1.3": ("a@example.org",), **{n: FULL[n] for n in FULL if n != "mail"}}
    assert judged(session(given))["claims"][0] == "ok"


def test_what_is_asked_for_is_what_rules_and_applications_need() -> None:
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
    assert wishes(rules, [client]) == [
        BackupRequest(("uid",), "sub"),
        BackupRequest(("displayName", "cn"), "name"),
        BackupRequest(("sn",), "family_name"),
        BackupRequest(("employeeId",), "supann_emp_id"),
        BackupRequest(("eduPersonOrcid",), "eduperson_orcid"),
        BackupRequest(("eduPersonEntitlement",), "admission"),
    ]


def test_groups_that_admit_are_asked_for_though_no_scope_has_them() -> None:
    client = ClientSettings(
        client_id="wiki",
        redirect_uris=("https://wiki.example.org/cb",),
        scopes=("openid",),
        allowed_groups=("staff",),
    )
    groups = ClaimRules().attributes["groups"]
    assert wishes(ClaimRules(), [client]) == [BackupRequest(groups, "admission")]
    assert [wish.claim for wish in wishes(ClaimRules(), [client.model_copy(update={"scopes": ("groups",)})])] == [
        "groups"
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_attributes_to_ask_for_there_is_no_empty_list(language: Language) -> None:
    asked = replace(request(), wanted=())
    text = message(asked, language)
    assert "Attribut" not in text.partition("{")[0].partition("2. ")[2]
    assert "\n3. " in text
    assert "\n4. " not in text
    assert "\n\n\n" not in text


def request(*, state_in_cookie: bool = False) -> Request:
    return Request(
        issuer="https://auth.example.org",
        cas_url="https://sso.example.org/cas",
        state_in_cookie=state_in_cookie,
        wanted=wishes(ClaimRules(), ()),
        findings=[fault("x", "seen", "means", "do", Told("found here", "constaté ici")), fault("y", "s", "m", "d")],
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_message_has_all_that_is_needed_in_either_language(language: Language) -> None:
    text = message(request(), language)
    for fact in (
        *("https://auth.example.org:", "https://auth.example.org :")[LANGUAGES.index(language) :][:1],
        r"^https://auth\.example\.org/cas/callback(\?.*)?$",
        *("https://auth.example.org/cas/logout", "BACK_CHANNEL", "displayName", "memberOf", "POST"),
        {"en": "found here", "fr": "constaté ici"}[language],
    ):
        assert fact in text
    assert not re.search(r"\{[a-z]+\}", text)
    service = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert re.fullmatch(service["serviceId"], "https://auth.example.org/cas/callback?state=x")
    assert service["logoutUrl"] == "https://auth.example.org/cas/logout"


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_exact_url_is_not_given_as_a_pattern(language: Language) -> None:
    text = message(request(state_in_cookie=True), language)
    assert "\n       https://auth.example.org/cas/callback\n" in text
    assert json.loads(text[text.index("{") : text.rindex("}") + 1])["serviceId"].endswith("/cas/callback$")
