"""`prompt=login` and `prompt=none` with the `renew` and `gateway` of a real CAS server."""

from __future__ import annotations

import re

from tests.upstream.site import REDIRECT_URI, Site, error_of


def test_prompt_login_requires_password(site: Site) -> None:
    person = site.person()
    earlier = site.sign_in(person)
    site.cas.age_sessions()
    app = site.app(person)
    code = app.extract_code(person.sign_in(app.authorization_url(prompt="login")))

    assert person.at_cas.password_prompts == 2
    again = app.redeem(code).json
    assert app.fetch_userinfo(again["access_token"]).json["sub"] == earlier.userinfo["sub"]


def test_removed_renew_denies_login_cas23(site: Site) -> None:
    person = site.person()
    site.sign_in(person)
    site.cas.age_sessions()
    app = site.app(person)
    answer = person.get(app.authorization_url(prompt="login"))
    for _ in range(2):  # the bridge restarts the login once, as for any rejected ticket
        login_url = answer.location
        assert "&renew=true" in login_url
        answer = person.get(person.at_cas.sign_in(login_url.replace("&renew=true", "")))

    assert person.at_cas.password_prompts == 1
    assert answer.status == 403
    assert answer.is_page


def test_prompt_none_without_cas_session_fails_silently_cas23(site: Site) -> None:
    person = site.person()
    answer = person.sign_in(site.app(person).authorization_url(prompt="none"))
    assert error_of(answer) == "login_required"
    assert person.at_cas.password_prompts == 0


def test_prompt_none_with_cas_session_returns_a_code_cas23(site: Site) -> None:
    person = site.person()
    site.sign_in(person)
    person.cookies.clear()
    app = site.app(person)
    answer = person.get(app.authorization_url(prompt="none"))
    assert re.search(r"&gateway=true\b", answer.location)
    assert app.extract_code(person.get(person.log_in_at_cas(answer)))
    assert person.at_cas.password_prompts == 1


def test_max_age_zero_requires_password(site: Site) -> None:
    person = site.person()
    site.sign_in(person)
    site.cas.age_sessions()
    answer = person.sign_in(site.app(person).authorization_url(max_age="0"))
    assert answer.location.startswith(REDIRECT_URI)
    assert person.at_cas.password_prompts == 2
