"""A real CAS server says that a session is over; within two seconds nothing is left of it at the bridge."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.support.bridge.tls_proxy import TlsProxy
from tests.support.browser import Browser as Chromium
from tests.support.cas.real_cas import HowToldOfLogout, RealCas
from tests.upstream.site import (
    REDIRECT_URI,
    SCOPE,
    WHILE_SIGNED_IN,
    Site,
    Tokens,
    error_of,
    site_at,
    unverified_claims,
    waits_until_dead,
)

ONLY_APEREO = pytest.mark.parametrize("cas", [pytest.param("apereo", marks=pytest.mark.needs("apereo"))], indirect=True)


@pytest.fixture(scope="module", params=["at the logout URL", "at the service URL"])
def told(request: pytest.FixtureRequest, cas: RealCas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A bridge of two workers, by the address at which CAS tells it of logouts."""
    folder = tmp_path_factory.mktemp("bridge")
    with site_at(folder, cas, told=request.param, PASSERELLE_WORKERS="2") as site:
        yield site


def test_cas_logout_revokes_and_notifies_cas24(told: Site) -> None:
    person, bystander = told.person(), told.person()
    tokens, others = told.sign_in(person), told.sign_in(bystander)
    already = len(told.hub.told)

    began = time.monotonic()
    person.at_cas.sign_out()

    waits_until_dead(tokens, began=began)
    assert not told.is_signed_in(person)
    told.hears_of_logout(tokens, began=began, already=already)
    assert others.are_good()
    assert told.is_signed_in(bystander)


def test_logout_ends_all_clients_of_the_browser_cas25(told: Site) -> None:
    person, bystander = told.person(), told.person()
    first, second, others = told.sign_in(person, "hub"), told.sign_in(person, "wiki"), told.sign_in(bystander)
    # A second way through CAS in the same session: Apereo then names only the last of its tickets.
    code = told.app(person, "wiki").extract_code(
        person.sign_in(told.app(person, "wiki").authorization_url(prompt="login"))
    )
    assert code

    began = time.monotonic()
    person.at_cas.sign_out()

    waits_until_dead(first, began=began)
    waits_until_dead(second, began=began)
    assert others.are_good()


def test_login_after_logout_requires_password(told: Site) -> None:
    person = told.person()
    told.sign_in(person)
    person.at_cas.sign_out()
    assert error_of(person.sign_in(told.app(person).authorization_url(prompt="none"))) == "login_required"
    assert told.sign_in(person).are_good()
    assert person.at_cas.times_asked == 2


def test_eight_users_log_out_concurrently(told: Site) -> None:
    people = [told.person() for _ in range(8)]
    all_tokens = [told.sign_in(person) for person in people]
    already = len(told.hub.told)

    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda person: person.at_cas.sign_out(), people))

    told.hears_of_logout(*all_tokens, began=began, already=already)
    for tokens in all_tokens:
        tokens.assert_are_dead()


def test_logout_with_unused_tickets_is_ignored_cas24(told: Site) -> None:
    person = told.person()
    tokens = told.sign_in(person)
    for state in ("a", "b"):
        service = f"{told.bridge.url}/cas/callback?state={state}"
        person.at_cas.sign_in(f"{told.cas.url}/login?service={quote(service, safe='')}")
    stranger = told.person()
    stranger.log_in_at_cas(stranger.get(told.app(stranger).authorization_url()))

    stranger.at_cas.sign_out()
    assert tokens.are_good()
    began = time.monotonic()
    person.at_cas.sign_out()
    if told.cas.names_every_ticket:
        waits_until_dead(tokens, began=began)
    else:  # it names the last one alone, and that one the bridge has never seen
        assert tokens.are_good()


@pytest.mark.parametrize("told", ["at the logout URL", "at the service URL"])
def test_logout_with_private_authorities_cas24(cas: RealCas, folder: Path, told: HowToldOfLogout) -> None:
    front = TlsProxy(folder, certificate=cas.files.certificate, key=cas.files.key, ca_file=cas.ca_file)
    with site_at(folder, cas, told=told, front=front, PASSERELLE_WORKERS="2") as site:
        person = site.person()
        tokens = site.sign_in(person)
        assert tokens.id_claims["iss"] == front.url
        assert front.url.startswith("https://")

        began = time.monotonic()
        person.at_cas.sign_out()

        waits_until_dead(tokens, began=began)
        assert not site.is_signed_in(person)
        site.hears_of_logout(tokens, began=began)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["restarted", "killed"])
def test_logout_after_restart_ends_session_cas25(cas: RealCas, folder: Path, how: signal.Signals) -> None:
    with site_at(folder, cas, PASSERELLE_WORKERS="2") as site:
        person = site.person()
        tokens = site.sign_in(person)
        site.bridge.stop(how)
        site.bridge.start()
        assert tokens.are_good()

        began = time.monotonic()
        person.at_cas.sign_out()

        waits_until_dead(tokens, began=began)
        assert not site.is_signed_in(person)
        site.hears_of_logout(tokens, began=began)


def test_offline_access_survives_if_configured(cas: RealCas, folder: Path) -> None:
    with site_at(folder, cas, PASSERELLE_CAS_LOGOUT_ENDS_OFFLINE_ACCESS="false") as site:
        person = site.person()
        offline = site.sign_in(person)
        tokens = site.sign_in(person, "wiki", scope=WHILE_SIGNED_IN)

        began = time.monotonic()
        person.at_cas.sign_out()

        waits_until_dead(tokens, began=began)
        assert offline.are_good()
        assert not site.is_signed_in(person)


def test_logout_at_bridge_ends_cas_session_once(cas: RealCas, folder: Path) -> None:
    with site_at(folder, cas) as site:
        person = site.person()
        tokens = site.sign_in(person, scope=WHILE_SIGNED_IN)

        began = time.monotonic()
        to_cas = person.get(f"{site.bridge.url}/logout?id_token_hint={tokens.id_token}").location
        assert to_cas == f"{cas.url}/logout"
        person.at_cas.sign_out()

        waits_until_dead(tokens, began=began)
        site.hears_of_logout(tokens, began=began)
        time.sleep(1.5)
        assert len(site.hub.told) == 1
        site.sign_in(person)
        assert person.at_cas.times_asked == 2


def test_logout_through_cas_returns_to_the_client(cas: RealCas, folder: Path) -> None:
    with site_at(folder, cas, PASSERELLE_CAS_LOGOUT="return") as site:
        person = site.person()
        tokens = site.sign_in(person, scope=WHILE_SIGNED_IN)
        way = f"id_token_hint={tokens.id_token}&post_logout_redirect_uri={quote(REDIRECT_URI, safe='')}"
        to_cas = person.get(f"{site.bridge.url}/logout?{way}").location
        assert to_cas.startswith(f"{cas.url}/logout?service=")
        back = person.at_cas.get(to_cas).headers["Location"]
        assert person.get(back).location == REDIRECT_URI
        tokens.assert_are_dead()
        site.sign_in(person)
        assert person.at_cas.times_asked == 2


@ONLY_APEREO
def test_front_channel_ends_the_session_cas24(cas: RealCas, folder: Path) -> None:
    with site_at(folder, cas, told="by the browser") as site:
        person = site.person()
        tokens = site.sign_in(person)
        page = person.at_cas.sign_out().text
        assert tokens.are_good(), "nobody has told the bridge yet"
        (address,) = [found.replace("\\/", "/") for found in re.findall(r'url: "([^"]+/logout)"', page)]
        (data,) = re.findall(r'data: "(logoutRequest=[^"]+)"', page)
        assert address == f"{site.bridge.url}/cas/logout"

        began = time.monotonic()
        answer = person.get(f"{address}?callback=jQuery37_1&{data}&_=1")  # what its script sends

        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/javascript")
        assert "jQuery37_1(" in answer.text
        waits_until_dead(tokens, began=began)
        site.hears_of_logout(tokens, began=began)
        assert not site.is_signed_in(person)


@ONLY_APEREO
@pytest.mark.needs("browser")
def test_real_browser_carries_front_channel_logout_cas24(cas: RealCas, folder: Path) -> None:
    with site_at(folder, cas, told="by the browser") as site, Chromium(name="front-channel") as chromium:
        person, page = site.person(), chromium.page
        app = site.app(person)
        page.route(f"{REDIRECT_URI}?**", lambda route: route.fulfill(status=200, body="the application"))
        page.goto(app.authorization_url(scope=SCOPE))
        page.locator("input[name=username]").fill(cas.user.name)
        page.locator("input[name=password]").fill(cas.user.password)
        page.locator("input[name=password]").press("Enter")
        page.wait_for_url(f"{REDIRECT_URI}?**")
        redeemed = app.redeem(parse_qs(urlsplit(page.url).query)["code"][0]).json
        tokens = Tokens(app, **{name: redeemed[name] for name in ("access_token", "id_token", "refresh_token")})

        page.goto(f"{cas.url}/logout")

        (told,) = site.hub.hears(1)
        assert unverified_claims(told.token)["sid"] == tokens.id_claims["sid"]
        tokens.assert_are_dead()
        # CAS's own page shows whether it could run what the bridge answered.
        page.get_by_title("Logout request was successfully received.").wait_for(state="attached")
