"""Single logout from a real CAS server ends sessions and tokens within two seconds."""

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
from tests.support.cas.real_cas import LogoutChannel, RealCas
from tests.upstream.site import (
    REDIRECT_URI,
    SCOPE,
    TWO_SERVERS,
    WHILE_SIGNED_IN,
    Site,
    Tokens,
    error_of,
    site_at,
    unverified_claims,
    wait_until_revoked,
)

ONLY_APEREO = pytest.mark.parametrize("cas", [pytest.param("apereo", marks=pytest.mark.needs("apereo"))], indirect=True)


@pytest.fixture(scope="module", params=["at the logout URL", "at the service URL"])
def notified_site(
    request: pytest.FixtureRequest, cas: RealCas, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Return a bridge with two workers for each place of the logout request."""
    folder = tmp_path_factory.mktemp("bridge")
    with site_at(folder, cas, channel=request.param, PASSERELLE_WORKERS="2") as site:
        yield site


def test_cas_logout_revokes_and_notifies_cas24(notified_site: Site) -> None:
    person, bystander = notified_site.person(), notified_site.person()
    others, tokens = notified_site.sign_in(bystander), notified_site.sign_in(person)
    already = len(notified_site.hub.told)

    began = time.monotonic()
    person.at_cas.sign_out()

    wait_until_revoked(tokens, began=began)
    assert not notified_site.is_signed_in(person)
    notified_site.assert_logout_received(tokens, began=began, already=already)
    notified_site.assert_unaffected(bystander, others)


def test_logout_ends_all_clients_of_the_browser_cas25(notified_site: Site) -> None:
    person, bystander = notified_site.person(), notified_site.person()
    first, second, others = (
        notified_site.sign_in(person, "hub"),
        notified_site.sign_in(person, "wiki"),
        notified_site.sign_in(bystander),
    )
    # A second login in the same session: Apereo then names only the last ticket.
    code = notified_site.app(person, "wiki").extract_code(
        person.sign_in(notified_site.app(person, "wiki").authorization_url(prompt="login"))
    )
    assert code

    began = time.monotonic()
    person.at_cas.sign_out()

    wait_until_revoked(first, began=began)
    wait_until_revoked(second, began=began)
    notified_site.assert_unaffected(bystander, others)


def test_login_after_logout_requires_password(notified_site: Site) -> None:
    person = notified_site.person()
    tokens, began = notified_site.sign_in(person), time.monotonic()
    person.at_cas.sign_out()
    wait_until_revoked(tokens, began=began)  # Jasig CAS 3 and django-mama-cas notify in the background
    assert error_of(person.sign_in(notified_site.app(person).authorization_url(prompt="none"))) == "login_required"
    assert notified_site.sign_in(person).are_active()
    assert person.at_cas.password_prompts == 2


@TWO_SERVERS
def test_eight_users_log_out_concurrently(notified_site: Site) -> None:
    people = [notified_site.person() for _ in range(8)]
    all_tokens = [notified_site.sign_in(person) for person in people]
    already = len(notified_site.hub.told)

    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda person: person.at_cas.sign_out(), people))

    notified_site.assert_logout_received(*all_tokens, began=began, already=already)
    for tokens in all_tokens:
        tokens.assert_revoked()


def test_logout_with_unused_tickets_is_ignored_cas24(notified_site: Site) -> None:
    person = notified_site.person()
    tokens = notified_site.sign_in(person)
    for state in ("a", "b"):
        service = f"{notified_site.bridge.url}/cas/callback?state={state}"
        person.at_cas.sign_in(f"{notified_site.cas.url}/login?service={quote(service, safe='')}")
    other = notified_site.person()
    other.log_in_at_cas(other.get(notified_site.app(other).authorization_url()))

    other.at_cas.sign_out()
    notified_site.assert_unaffected(person, tokens)
    began = time.monotonic()
    person.at_cas.sign_out()
    if notified_site.cas.names_every_ticket:
        wait_until_revoked(tokens, began=began)
    else:  # only the last ticket is named, and the bridge has not seen it
        assert tokens.are_active()


@TWO_SERVERS
@pytest.mark.parametrize("channel", ["at the logout URL", "at the service URL"])
def test_logout_with_private_authorities_cas24(cas: RealCas, folder: Path, channel: LogoutChannel) -> None:
    front = TlsProxy(folder, certificate=cas.files.certificate, key=cas.files.key, ca_file=cas.ca_file)
    with site_at(folder, cas, channel=channel, front=front, PASSERELLE_WORKERS="2") as site:
        person = site.person()
        tokens = site.sign_in(person)
        assert tokens.id_claims["iss"] == front.url
        assert front.url.startswith("https://")

        began = time.monotonic()
        person.at_cas.sign_out()

        wait_until_revoked(tokens, began=began)
        assert not site.is_signed_in(person)
        site.assert_logout_received(tokens, began=began)


@TWO_SERVERS
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["restarted", "killed"])
def test_logout_after_restart_ends_session_cas25(cas: RealCas, folder: Path, how: signal.Signals) -> None:
    with site_at(folder, cas, PASSERELLE_WORKERS="2") as site:
        person = site.person()
        tokens = site.sign_in(person)
        site.bridge.stop(how)
        site.bridge.start()
        assert tokens.are_active()

        began = time.monotonic()
        person.at_cas.sign_out()

        wait_until_revoked(tokens, began=began)
        assert not site.is_signed_in(person)
        site.assert_logout_received(tokens, began=began)


@TWO_SERVERS
def test_offline_access_survives_if_configured(cas: RealCas, folder: Path) -> None:
    with site_at(folder, cas, PASSERELLE_CAS_LOGOUT_ENDS_OFFLINE_ACCESS="false") as site:
        person = site.person()
        offline = site.sign_in(person)
        tokens = site.sign_in(person, "wiki", scope=WHILE_SIGNED_IN)

        began = time.monotonic()
        person.at_cas.sign_out()

        wait_until_revoked(tokens, began=began)
        assert offline.are_active()
        assert not site.is_signed_in(person)


def test_logout_at_bridge_ends_cas_session_once(cas: RealCas, folder: Path) -> None:
    with site_at(folder, cas) as site:
        person = site.person()
        tokens = site.sign_in(person, scope=WHILE_SIGNED_IN)

        began = time.monotonic()
        to_cas = person.get(f"{site.bridge.url}/logout?id_token_hint={tokens.id_token}").location
        assert to_cas == f"{cas.url}/logout"
        person.at_cas.sign_out()

        wait_until_revoked(tokens, began=began)
        site.assert_logout_received(tokens, began=began)
        time.sleep(1.5)
        assert len(site.hub.told) == 1
        site.sign_in(person)
        assert person.at_cas.password_prompts == 2


def test_logout_through_cas_returns_to_the_client(cas: RealCas, folder: Path) -> None:
    with site_at(folder, cas, PASSERELLE_CAS_LOGOUT="return") as site:
        person = site.person()
        tokens = site.sign_in(person, scope=WHILE_SIGNED_IN)
        way = f"id_token_hint={tokens.id_token}&post_logout_redirect_uri={quote(REDIRECT_URI, safe='')}"
        to_cas = person.get(f"{site.bridge.url}/logout?{way}").location
        assert to_cas.startswith(f"{cas.url}/logout?service=")
        back = person.at_cas.get(to_cas).headers["Location"]
        assert person.get(back).location == REDIRECT_URI
        tokens.assert_revoked()
        site.sign_in(person)
        assert person.at_cas.password_prompts == 2


@ONLY_APEREO
def test_front_channel_ends_the_session_cas24(cas: RealCas, folder: Path) -> None:
    with site_at(folder, cas, channel="by the browser") as site:
        person = site.person()
        tokens = site.sign_in(person)
        page = person.at_cas.sign_out().text
        assert tokens.are_active(), "the bridge has not been notified yet"
        (address,) = [found.replace("\\/", "/") for found in re.findall(r'url: "([^"]+/logout)"', page)]
        (data,) = re.findall(r'data: "(logoutRequest=[^"]+)"', page)
        assert address == f"{site.bridge.url}/cas/logout"

        began = time.monotonic()
        answer = person.get(f"{address}?callback=jQuery37_1&{data}&_=1")  # what its script sends

        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/javascript")
        assert "jQuery37_1(" in answer.text
        wait_until_revoked(tokens, began=began)
        site.assert_logout_received(tokens, began=began)
        assert not site.is_signed_in(person)


@ONLY_APEREO
@pytest.mark.needs("browser")
def test_real_browser_carries_front_channel_logout_cas24(cas: RealCas, folder: Path) -> None:
    with site_at(folder, cas, channel="by the browser") as site, Chromium(name="front-channel") as chromium:
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

        (received,) = site.hub.wait_for(1)
        assert unverified_claims(received.token)["sid"] == tokens.id_claims["sid"]
        tokens.assert_revoked()
        # The page of CAS shows whether it could run the response of the bridge.
        page.get_by_title("Logout request was successfully received.").wait_for(state="attached")
