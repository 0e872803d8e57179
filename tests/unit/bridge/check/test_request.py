"""The message to the CAS administrator."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from bridge.check.attributes import requested_attributes
from bridge.check.findings import fault
from bridge.check.registration import Registration, RegistrationRequest
from bridge.settings import ClaimRules
from passerelle_common.i18n import LANGUAGES, Message

TO_CAS = Message("%(url)s fails with status %(status)s.", {"url": "https://sso/cas", "status": 500})
in_each_language = pytest.mark.parametrize("language", LANGUAGES)


def request(*, state_in_cookie: bool = False) -> RegistrationRequest:
    return RegistrationRequest(
        registration=Registration(issuer="https://auth.example.org", state_in_cookie=state_in_cookie),
        cas_url="https://sso.example.org/cas",
        attributes=requested_attributes(ClaimRules(), ()),
        findings=[fault("x", "seen", "means", "do", TO_CAS), fault("y", "s", "m", "d")],
    )


@in_each_language
def test_message_without_attributes_has_no_empty_list(language: str) -> None:
    text = replace(request(), attributes=()).text(language)
    assert "Attribut" not in text.partition("{")[0].partition("2. ")[2]
    assert "\n3. " in text
    assert "\n4. " not in text
    assert "\n\n\n" not in text


@in_each_language
def test_message_is_complete_in_each_language(language: str) -> None:
    text = request().text(language)
    for fact in (
        "https://auth.example.org",
        r"^https://auth\.example\.org/cas/callback(\?.*)?$",
        *("https://auth.example.org/cas/logout", "BACK_CHANNEL", "displayName", "memberOf", "POST"),
        {"en": "https://sso/cas fails with status 500.", "fr": "https://sso/cas répond par le statut 500."}[language],
    ):
        assert fact in text
    assert "%(" not in text
    assert ("Please" in text) is (language == "en")
    service = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert re.fullmatch(service["serviceId"], "https://auth.example.org/cas/callback?state=x")
    assert service["logoutUrl"] == "https://auth.example.org/cas/logout"


@in_each_language
def test_exact_url_is_not_a_pattern(language: str) -> None:
    text = request(state_in_cookie=True).text(language)
    assert "\n       https://auth.example.org/cas/callback\n" in text
    assert json.loads(text[text.index("{") : text.rindex("}") + 1])["serviceId"].endswith("/cas/callback$")
