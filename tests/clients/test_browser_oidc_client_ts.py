"""A single-page application with oidc-client-ts in a real browser: it has no secret and no server to help it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error

from tests.clients.at_the_bridge import sessions
from tests.clients.single_page_site import LIBRARY, SinglePage, Surfer, surfing
from tests.clients.site import Site
from tests.support.authority import Authority

GRANTS = {"refreshing": ("authorization_code", "refresh_token"), "framed": ("authorization_code",)}

pytestmark = pytest.mark.needs("node", "browser")


@pytest.fixture(scope="module")
def single_page(site: Site, node_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SinglePage]:
    """At two addresses, as two clients."""
    files = site.cas.files
    with SinglePage(tmp_path_factory.mktemp("pages"), library=node_packages / LIBRARY, files=files) as pages:
        for name, grants in GRANTS.items():
            here = [f"--redirect-uri={pages.at(name)}", f"--post-logout-redirect-uri={pages.at(name)}"]
            client = site.adds_client(name, "--public", *here, *(f"--grant-type={grant}" for grant in grants))
            pages.knows(name, {"authority": site.issuer, "client_id": client.client_id})
        site.waits_until_known()
        yield pages


@pytest.fixture
def surfer(site: Site) -> Iterator[Surfer]:
    with surfing(site.cas.files, site.cas.user) as surfer:
        yield surfer


def signs_in(surfer: Surfer, address: str) -> dict[str, Any]:
    surfer.page.goto(address)
    assert surfer.sees() == {"signed_in": False}
    surfer.presses("Sign in")
    surfer.types_password()
    surfer.page.wait_for_url(address)
    return surfer.sees()


def knows_the_user(site: Site, shown: dict[str, Any]) -> None:
    user = site.cas.user
    assert shown["profile"]["sub"] == user.name
    assert shown["profile"]["groups"] == list(user.attributes["memberOf"])
    assert [shown["profile"]["name"]] == list(user.attributes["displayName"])


@pytest.mark.parametrize("name", GRANTS)
def test_somebody_signs_in_stays_signed_in_silently_and_signs_out(
    name: str, single_page: SinglePage, site: Site, surfer: Surfer
) -> None:
    """By a refresh token, or by a frame in which the bridge is asked without a word."""
    already, address = sessions(site), single_page.at(name)
    first = signs_in(surfer, address)
    knows_the_user(site, first)
    assert len(sessions(site) - already) == 1

    surfer.presses("Renew")
    renewed = surfer.sees()
    knows_the_user(site, renewed)
    assert renewed["access_token"] != first["access_token"]
    assert ("refresh_token" in renewed) is (name == "refreshing")
    assert renewed.get("refresh_token", "none") != first.get("refresh_token")

    surfer.presses("Sign out")
    assert surfer.sees() == {"signed_in": False}
    assert surfer.page.url == address
    assert sessions(site) == already

    surfer.presses("Renew")
    assert surfer.sees() == {"error": "login_required"}
    surfer.presses("Sign in")
    surfer.page.wait_for_url("**/cas/login?**")


def test_two_tabs_that_hold_the_same_tokens_may_renew_at_once(
    single_page: SinglePage, site: Site, surfer: Surfer
) -> None:
    first = signs_in(surfer, single_page.at("refreshing"))
    tabs = [surfer, surfer.duplicates_the_tab()]
    assert tabs[1].sees() == first

    for tab in tabs:
        tab.presses("Renew")
    seen = [tab.sees() for tab in tabs]
    assert seen[0]["refresh_token"] != first["refresh_token"]
    assert [each["signed_in"] for each in seen] == [True, True]
    for tab in tabs:
        tab.presses("Renew")
        knows_the_user(site, tab.sees())


def test_the_browser_takes_no_bridge_whose_certificate_nobody_vouches_for(site: Site, tmp_path: Path) -> None:
    """Or the tests above would prove nothing."""
    somebody_elses = Authority(tmp_path).issue("127.0.0.1")
    with surfing(somebody_elses, site.cas.user) as surfer, pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
        surfer.page.goto(site.issuer)
