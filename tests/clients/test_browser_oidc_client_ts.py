"""A single-page application with oidc-client-ts in a real browser: it has no secret and no server to help it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.bridge_site import BridgeSite
from tests.clients.node_application import install
from tests.clients.single_page_site import LIBRARY, SinglePage, Surfer, surfing

pytestmark = pytest.mark.needs("node", "browser")


@pytest.fixture(scope="module")
def single_page(site: BridgeSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SinglePage]:
    library = install(tmp_path_factory.mktemp("browser")) / LIBRARY
    with SinglePage(tmp_path_factory.mktemp("pages"), library=library, files=site.cas.files) as pages:
        grants = {
            "refreshing": ["--grant-type", "authorization_code", "--grant-type", "refresh_token"],
            "framed": ["--grant-type", "authorization_code"],
        }
        options = {
            name: ["--public", "--redirect-uri", pages.at(name), "--post-logout-redirect-uri", pages.at(name), *given]
            for name, given in grants.items()
        }
        for name, client in site.adds(options).items():
            pages.knows(name, {"authority": site.issuer, "client_id": client["client_id"]})
        yield pages


@pytest.fixture
def surfer(site: BridgeSite) -> Iterator[Surfer]:
    with surfing(site.cas.files, site.cas.user) as surfer:
        yield surfer


def signs_in(surfer: Surfer, address: str) -> dict[str, Any]:
    surfer.page.goto(address)
    assert surfer.sees() == {"signed_in": False}
    surfer.presses("Sign in")
    surfer.types_password()
    surfer.page.wait_for_url(address)
    return surfer.sees()


def knows_the_user(site: BridgeSite, shown: dict[str, Any]) -> None:
    user = site.cas.user
    assert shown["profile"]["sub"] == user.name
    assert shown["profile"]["groups"] == list(user.attributes["memberOf"])
    assert [shown["profile"]["name"]] == list(user.attributes["displayName"])


@pytest.mark.parametrize("name", ["refreshing", "framed"])
def test_somebody_signs_in_stays_signed_in_silently_and_signs_out(
    name: str, single_page: SinglePage, site: BridgeSite, surfer: Surfer
) -> None:
    """By a refresh token, or by a frame in which the bridge is asked without a word."""
    already, address = len(site.sessions()), single_page.at(name)
    first = signs_in(surfer, address)
    knows_the_user(site, first)
    assert len(site.sessions()) == already + 1

    surfer.presses("Renew")
    renewed = surfer.sees()
    knows_the_user(site, renewed)
    assert renewed["access_token"] != first["access_token"]
    assert ("refresh_token" in renewed) is (name == "refreshing")
    assert renewed.get("refresh_token", "none") != first.get("refresh_token")

    surfer.presses("Sign out")
    assert surfer.sees() == {"signed_in": False}
    assert surfer.page.url == address
    assert len(site.sessions()) == already

    surfer.presses("Renew")
    assert surfer.sees() == {"error": "login_required"}
    surfer.presses("Sign in")
    surfer.page.wait_for_url("**/cas/login?**")
