"""A single-page application with oidc-client-ts in a real browser: it has no secret and no server to help it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Playwright, sync_playwright

from tests.clients.at_the_bridge import ends, sessions
from tests.clients.single_page_site import SinglePage, Surfer, launched, walks
from tests.clients.site import Site
from tests.support.bridge.certificate_authority import CertificateAuthority

WAYS = {"by refresh token": [], "in a frame": ["--grant-type=authorization_code"]}

pytestmark = pytest.mark.needs("node", "browser")


@pytest.fixture(scope="module")
def pages(site: Site, node_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Addresses of two of them by the way on which they renew: what the recipe says, and without refresh tokens."""
    with ExitStack() as stack:
        found = {}
        for way, options in WAYS.items():
            made = SinglePage(tmp_path_factory.mktemp("page"), packages=node_packages, files=site.cas.files)
            client = site.adds_client(way, "--recipe=single-page-app", f"--url={made.url}", *options)
            made.pastes(client.configuration["cas.js"])
            found[way] = stack.enter_context(made).url
        site.waits_until_known()
        yield found


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Playwright, site: Site) -> Iterator[Browser]:
    with launched(playwright, trusts=site.cas.files) as browser:
        yield browser


def signs_in(surfer: Surfer, url: str) -> dict[str, Any]:
    surfer.page.goto(url)
    surfer.is_led_to_cas()
    surfer.submit_password()
    surfer.page.wait_for_url(f"{url}/")
    return surfer.sees()


def knows_the_user(site: Site, shown: dict[str, Any]) -> None:
    user = site.cas.user
    assert shown["profile"]["sub"] == user.name
    assert shown["profile"]["groups"] == list(user.attributes["memberOf"])
    assert [shown["profile"]["name"]] == list(user.attributes["displayName"])


@pytest.mark.parametrize("way", WAYS)
def test_page_signs_in_renews_silently_and_signs_out(
    way: str, pages: dict[str, str], site: Site, browser: Browser
) -> None:
    def steps(surfer: Surfer) -> None:
        already = sessions(site)
        first = signs_in(surfer, pages[way])
        knows_the_user(site, first)
        assert len(sessions(site) - already) == 1

        surfer.presses("Renew")
        renewed = surfer.sees()
        knows_the_user(site, renewed)
        assert renewed["access_token"] != first["access_token"]
        assert ("refresh_token" in renewed) is (way == "by refresh token")
        assert renewed.get("refresh_token", "none") != first.get("refresh_token")

        surfer.presses("Sign out")
        surfer.is_led_to_cas()  # by the page, to which the bridge sent the browser back
        assert sessions(site) == already

    walks(browser, steps, site.cas.user)


@pytest.mark.parametrize(("way", "error"), [("by refresh token", "invalid_grant"), ("in a frame", "login_required")])
def test_page_notices_ended_session_at_next_renewal(
    way: str, error: str, pages: dict[str, str], site: Site, browser: Browser
) -> None:
    def steps(surfer: Surfer) -> None:
        already = sessions(site)
        signs_in(surfer, pages[way])
        for sid in sessions(site) - already:
            ends(site, sid)
        surfer.presses("Renew")
        assert surfer.sees() == {"error": error}

    walks(browser, steps, site.cas.user)


def test_two_tabs_may_renew_the_same_tokens_at_once(pages: dict[str, str], site: Site, browser: Browser) -> None:
    def steps(surfer: Surfer) -> None:
        first = signs_in(surfer, pages["by refresh token"])
        tabs = [surfer, surfer.duplicates_the_tab()]
        assert tabs[1].sees() == first

        for tab in tabs:
            tab.presses("Renew")
        for tab in tabs:
            seen = tab.sees()
            knows_the_user(site, seen)
            assert seen["refresh_token"] != first["refresh_token"]

    walks(browser, steps, site.cas.user)


def test_browser_rejects_untrusted_certificate(playwright: Playwright, site: Site, tmp_path: Path) -> None:
    """Or the tests above would prove nothing."""

    def steps(surfer: Surfer) -> None:
        with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
            surfer.page.goto(site.issuer)

    with launched(playwright, trusts=CertificateAuthority(tmp_path).issue("127.0.0.1")) as browser:
        walks(browser, steps, site.cas.user)
