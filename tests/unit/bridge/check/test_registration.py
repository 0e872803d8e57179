"""Findings about the service registration at CAS."""

from __future__ import annotations

import re

import pytest

from bridge.cas.endpoints import CasEndpoints
from bridge.check.login_page import (
    UNREGISTERED_SERVICE,
    LoginPage,
    evaluate_login_page,
    is_same_service,
    is_service_rejected,
    not_registered,
)
from bridge.check.probe import Failure, ProbeClient, Response, Target
from bridge.check.registration import Registration
from tests.support.bridge.check_values import FORM, ISSUER, NO_RESPONSE, SERVICE, response


@pytest.mark.parametrize("url", [ISSUER, "https://auth.example.org:8443", "https://example.org/a+b(c)"])
def test_service_pattern_matches_only_our_callback(url: str) -> None:
    exact = re.compile(Registration(issuer=url, state_in_cookie=True).pattern)
    query = re.compile(Registration(issuer=url).pattern)
    assert query.fullmatch(f"{url}/cas/callback?state=x")
    assert query.fullmatch(f"{url}/cas/callback")
    assert exact.fullmatch(f"{url}/cas/callback")
    assert not exact.fullmatch(f"{url}/cas/callback?state=x")
    for other in (f"{url}/cas/callbackx", f"{url}/cas/callback/x", f"x{url}/cas/callback"):
        assert not query.fullmatch(other)
    returning = re.compile(Registration(issuer=url, returns_from_logout=True).pattern)
    assert returning.fullmatch(f"{url}/logout/done")
    assert returning.fullmatch(f"{url}/cas/callback?state=x")
    assert not query.fullmatch(f"{url}/logout/done")
    assert not re.fullmatch(Registration(issuer=ISSUER).pattern, "https://authXexample.org/cas/callback")


@pytest.mark.parametrize(
    ("location", "is_same"),
    [
        (SERVICE, True),
        (f"{ISSUER}/cas/callback?state=passerelle%2Dcheck&x=1", True),
        (f"{ISSUER}/cas/callback", True),
        ("https://auth.example.org.evil.example/cas/callback", False),
        ("http://auth.example.org/cas/callback", False),
        ("/cas/callback", False),
        ("https://[", False),
    ],
)
def test_redirect_to_our_service_is_recognised(location: str, is_same: bool) -> None:
    assert is_same_service(location, SERVICE) is is_same


@pytest.mark.parametrize(
    ("ours", "other", "level", "words"),
    [
        (response(302, location=SERVICE), response(403), "ok", "is registered"),
        (response(302, location=SERVICE), NO_RESPONSE, "ok", "is registered"),
        (response(302, location=SERVICE), response(302, location=UNREGISTERED_SERVICE), "note", "any other URL"),
        (response(302, location="https://idp.example.org/?x=secret"), response(403), "warning", "idp.example.org/"),
        (response(200), response(200), "FAULT", "instead of a redirect"),
        (response(403), response(403), "FAULT", "status 403"),
        (response(200), response(403), "note", "login page for our service URL"),
        (response(200, FORM), response(200, FORM), "warning", "although gateway=true forbids it"),
        (response(200, FORM), response(200), "note", "rejects an unknown one"),
        (response(429), response(429), "note", "limits our requests"),
        (response(404), response(404), "FAULT", "no login page"),
        (response(500), response(200), "FAULT", "instead of a redirect"),
        (response(500), response(500), "FAULT", "CAS failed"),
        (response(500), NO_RESPONSE, "FAULT", "CAS failed"),
    ],
)
def test_login_page_shows_registration(ours: Response, other: Response | Failure, level: str, words: str) -> None:
    registration = Registration(issuer=ISSUER)
    found = evaluate_login_page(ours, other, registration) or not_registered(ours, registration)
    assert (found.level, words in found.seen) == (level, True), found
    assert "secret" not in found.seen


@pytest.mark.parametrize(
    ("ours", "other", "seems"),
    [
        (response(403), response(403), True),
        (response(200), response(200), True),
        (response(500), response(200), True),
        (response(500), response(500), False),
        (response(200), response(403), False),
        (response(200, FORM), response(200, FORM), False),
        (response(302, location=SERVICE), NO_RESPONSE, False),
        (response(404), NO_RESPONSE, False),
        (response(429), NO_RESPONSE, False),
    ],
)
def test_only_rejected_service_seems_unregistered(ours: Response, other: Response | Failure, seems: bool) -> None:
    assert (evaluate_login_page(ours, other, Registration(issuer=ISSUER)) is None) is seems


def test_failed_login_page_is_not_unregistered() -> None:
    addresses = CasEndpoints.from_base_url("https://sso.example.org/cas")
    target, registration = Target(url=addresses.login), Registration(issuer=ISSUER)
    page = LoginPage(target=target, addresses=addresses, client=ProbeClient(), registration=registration)
    found = page.evaluate(NO_RESPONSE)
    assert (found.level, "not checked" in found.seen) == ("note", True)


def page(text: str, token: str = "t") -> Response:
    form = f'<style>p {{}}</style><form><input name="lt" value="{token}"><input type="password"></form>'
    body = f"<h1>Sign in</h1><p>{text}</p>{form}<script>{token}</script>".encode()
    return Response(url="https://sso/login", status=200, headers={}, body=body, received_at=0)


def marked(box: str, token: str = "t") -> Response:
    """A page as LemonLDAP::NG writes it: scripts add the text of a message later."""
    return page(f'</p><div class="{box}" role="status"><span trmsg="9"></span></div><p>', token)


FIRST_ACCESS, ERROR = "message message-warning alert", "message message-negative alert"
UNKNOWN = page(f"Service {UNREGISTERED_SERVICE} not allowed", "u")
PLAIN = page("", "p")


@pytest.mark.parametrize(
    ("ours", "other", "plain", "is_rejected"),
    [
        (page(f"Service {SERVICE} not allowed"), UNKNOWN, PLAIN, True),
        (page(f"Service {SERVICE.replace('?', '&#63;')} not allowed"), UNKNOWN, PLAIN, True),
        (page(""), UNKNOWN, PLAIN, False),
        (page("Welcome to the Bridge"), UNKNOWN, PLAIN, False),
        (page(""), page("", "u"), PLAIN, False),
        (marked(ERROR), marked(ERROR, "u"), marked(FIRST_ACCESS, "p"), True),
        (marked(FIRST_ACCESS), marked(ERROR, "u"), marked(FIRST_ACCESS, "p"), False),
        (marked(ERROR), marked(ERROR, "u"), marked(ERROR, "p"), False),
        (marked("service-banner"), marked("service-banner", "u"), PLAIN, False),
        (page("Down tonight"), page("Down tonight"), page("Down tonight"), False),
        (page(f"Service {SERVICE} not allowed"), NO_RESPONSE, PLAIN, False),
        (page("x"), UNKNOWN, Failure(url="", kind="refused", detail=""), False),
    ],
)
def test_login_form_with_error_rejects_service(
    ours: Response, other: Response | Failure, plain: Response | Failure, is_rejected: bool
) -> None:
    assert is_service_rejected(ours, SERVICE, other, plain) is is_rejected
