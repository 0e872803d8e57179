"""`prompt=login` and `prompt=none`, as a real CAS server answers to `renew` and `gateway`."""

from __future__ import annotations

import re

from tests.upstream.site import REDIRECT_URI, Site, error_of


def test_prompt_login_has_the_password_asked_again(site: Site) -> None:
    person = site.person()
    earlier = site.signs_in(person)
    app = site.app(person)
    code = app.takes_code(person.signs_in(app.sends(prompt="login")))

    assert person.at_cas.times_asked == 2
    again = app.redeems(code).json
    assert app.asks_who(again["access_token"]).json["sub"] == earlier.userinfo["sub"]


def test_a_renew_that_the_user_deletes_from_the_address_lets_nobody_in_cas23(site: Site) -> None:
    person = site.person()
    site.signs_in(person)
    app = site.app(person)
    answer = person.opens(app.sends(prompt="login"))
    for _ in range(2):  # the bridge starts over once, as for any ticket that is refused
        login_url = answer.location
        assert "&renew=true" in login_url
        answer = person.opens(person.at_cas.signs_in(login_url.replace("&renew=true", "")))

    assert person.at_cas.times_asked == 1
    assert answer.status == 403
    assert answer.is_page


def test_prompt_none_without_a_session_at_cas_is_answered_login_required_and_asks_nobody_cas23(site: Site) -> None:
    person = site.person()
    answer = person.signs_in(site.app(person).sends(prompt="none"))
    assert error_of(answer) == "login_required"
    assert person.at_cas.times_asked == 0


def test_prompt_none_with_a_session_at_cas_ends_in_a_code_cas23(site: Site) -> None:
    person = site.person()
    site.signs_in(person)
    person.cookies.clear()
    app = site.app(person)
    answer = person.opens(app.sends(prompt="none"))
    assert re.search(r"&gateway=true\b", answer.location)
    assert app.takes_code(person.opens(person.visits_cas(answer)))
    assert person.at_cas.times_asked == 1


def test_max_age_zero_has_the_password_asked_again(site: Site) -> None:
    person = site.person()
    site.signs_in(person)
    answer = person.signs_in(site.app(person).sends(max_age="0"))
    assert answer.location.startswith(REDIRECT_URI)
    assert person.at_cas.times_asked == 2
