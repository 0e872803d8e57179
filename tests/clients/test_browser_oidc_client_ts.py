"""A single-page application with oidc-client-ts in a real browser, without a secret or a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Playwright, sync_playwright

from tests.clients.bridge_commands import end_session, sessions
from tests.clients.single_page_site import BrowserUser, SinglePage, launch_browser, run_steps
from tests.clients.site import Site
from tests.support.bridge.certificate_authority import CertificateAuthority

WAYS = {"by refresh token": [], "in a frame": ["--grant-type=authorization_code"]}

pytestmark = pytest.mark.needs("node", "browser")


@pytest.fixture(scope="module")
def pages(site: Site, node_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The URLs of two applications, one with refresh tokens as in the recipe and one without."""
    with ExitStack() as stack:
        found = {}
        for way, options in WAYS.items():
            application = SinglePage(tmp_path_factory.mktemp("page"), packages=node_packages, files=site.cas.files)
            client = site.add_client(way, "--recipe=single-page-app", f"--url={application.url}", *options)
            application.paste(client.configuration["cas.js"])
            found[way] = stack.enter_context(application).url
        site.wait_until_known()
        yield found


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Playwright, site: Site) -> Iterator[Browser]:
    with launch_browser(playwright, trusts=site.cas.files) as browser:
        yield browser


def sign_in(user_page: BrowserUser, url: str) -> dict[str, Any]:
    user_page.page.goto(url)
    user_page.expect_cas_form()
    user_page.submit_password()
    user_page.page.wait_for_url(f"{url}/")
    return user_page.read_output()


def check_user(site: Site, shown: dict[str, Any]) -> None:
    user = site.cas.user
    assert shown["profile"]["sub"] == user.name
    assert shown["profile"]["groups"] == list(user.attributes["memberOf"])
    assert [shown["profile"]["name"]] == list(user.attributes["displayName"])


@pytest.mark.parametrize("way", WAYS)
def test_page_signs_in_renews_silently_and_signs_out(
    way: str, pages: dict[str, str], site: Site, browser: Browser
) -> None:
    def steps(user_page: BrowserUser) -> None:
        already = sessions(site)
        first = sign_in(user_page, pages[way])
        check_user(site, first)
        assert len(sessions(site) - already) == 1

        user_page.press("Renew")
        renewed = user_page.read_output()
        check_user(site, renewed)
        assert renewed["access_token"] != first["access_token"]
        assert ("refresh_token" in renewed) is (way == "by refresh token")
        assert renewed.get("refresh_token", "none") != first.get("refresh_token")

        user_page.press("Sign out")
        user_page.expect_cas_form()  # the bridge redirects to the page, and the page to CAS
        assert sessions(site) == already

    run_steps(browser, steps, site.cas.user)


@pytest.mark.parametrize(("way", "error"), [("by refresh token", "invalid_grant"), ("in a frame", "login_required")])
def test_page_notices_ended_session_at_next_renewal(
    way: str, error: str, pages: dict[str, str], site: Site, browser: Browser
) -> None:
    def steps(user_page: BrowserUser) -> None:
        already = sessions(site)
        sign_in(user_page, pages[way])
        for sid in sessions(site) - already:
            end_session(site, sid)
        user_page.press("Renew")
        assert user_page.read_output() == {"error": error}

    run_steps(browser, steps, site.cas.user)


def test_two_tabs_may_renew_the_same_tokens_at_once(pages: dict[str, str], site: Site, browser: Browser) -> None:
    def steps(user_page: BrowserUser) -> None:
        first = sign_in(user_page, pages["by refresh token"])
        tabs = [user_page, user_page.duplicate_tab()]
        assert tabs[1].read_output() == first

        for tab in tabs:
            tab.press("Renew")
        for tab in tabs:
            seen = tab.read_output()
            check_user(site, seen)
            assert seen["refresh_token"] != first["refresh_token"]

    run_steps(browser, steps, site.cas.user)


def test_browser_rejects_untrusted_certificate(playwright: Playwright, site: Site, tmp_path: Path) -> None:
    """The other tests rely on certificate verification."""

    def steps(user_page: BrowserUser) -> None:
        with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
            user_page.page.goto(site.issuer)

    with launch_browser(playwright, trusts=CertificateAuthority(tmp_path).issue("127.0.0.1")) as browser:
        run_steps(browser, steps, site.cas.user)
