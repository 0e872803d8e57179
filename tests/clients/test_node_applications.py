"""Applications of the Node world: they sign somebody in, refresh, and sign out, each as its library says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.clients.bridge_site import BridgeSite, site_in
from tests.clients.node_application import NodeApplication, install
from tests.clients.visitor import Visitor
from tests.support.live_bridge import free_port

NAMES = ("openid_client", "oauth4webapi", "passport", "auth_js")
pytestmark = pytest.mark.needs("node")

REFRESHES = ("--grant-type", "authorization_code", "--grant-type", "refresh_token")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeSite]:
    with site_in(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def running(site: BridgeSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, NodeApplication]]:
    """All of them at once: two seconds pass until the bridge has heard of a new client."""
    package = install(tmp_path_factory.mktemp("clients"))
    ports = {name: free_port() for name in NAMES}
    clients = site.adds({name: options_of(name, f"http://127.0.0.1:{port}") for name, port in ports.items()})
    with ExitStack() as stack:
        started = {
            name: stack.enter_context(
                NodeApplication(package / f"{name}.mjs", port=port, site=site, client=clients[name])
            )
            for name, port in ports.items()
        }
        for application in started.values():
            application.waits_until_ready()
        yield started


def options_of(name: str, url: str) -> list[str]:
    """How each is registered."""
    callback = f"{url}/auth/callback/passerelle" if name == "auth_js" else f"{url}/callback"
    pkce = "--no-pkce" if name == "passport" else "--pkce"
    return ["--redirect-uri", callback, "--post-logout-redirect-uri", f"{url}/", *REFRESHES, pkce]


@pytest.fixture
def visitor(site: BridgeSite) -> Iterator[Visitor]:
    with site.visitor() as visitor:
        yield visitor


def knows_the_user(site: BridgeSite, shown: dict[str, Any]) -> None:
    user = site.cas.user
    assert shown["claims"]["iss"] == site.issuer
    assert shown["claims"]["sub"] == shown["userinfo"]["sub"] == user.name
    assert shown["userinfo"]["groups"] == list(user.attributes["memberOf"])
    assert [shown["userinfo"]["email"]] == list(user.attributes["mail"])
    assert [shown["userinfo"]["name"]] == list(user.attributes["displayName"])


@pytest.mark.parametrize("name", NAMES[:3])
def test_an_application_signs_somebody_in_refreshes_and_signs_out(
    name: str, running: dict[str, NodeApplication], site: BridgeSite, visitor: Visitor
) -> None:
    application = running[name]
    already = len(site.sessions())

    page = visitor.signs_in(visitor.opens(f"{application.url}/login"))
    assert (page.status_code, page.url) == (200, f"{application.url}/"), f"{page.text}\n{application.log}"
    first = page.json()
    knows_the_user(site, first)
    assert len(site.sessions()) == already + 1

    answer = visitor.posts(f"{application.url}/refresh")
    assert answer.status_code == 200, answer.text
    fresh = answer.json()
    knows_the_user(site, fresh)
    assert fresh["refresh_token"] != first["refresh_token"]
    assert fresh["access_token"] != first["access_token"]
    assert site.is_good(application.client, fresh["access_token"])

    page = visitor.opens(f"{application.url}/logout")
    assert (page.status_code, page.url) == (401, f"{application.url}/")
    assert len(site.sessions()) == already
    assert not site.is_good(application.client, fresh["access_token"])
    assert not site.is_good(application.client, fresh["refresh_token"])
    page = visitor.opens(f"{application.url}/login")
    assert page.url.startswith(f"{site.cas.url}/login?"), page.url
    assert visitor.times_asked == 1


def test_auth_js_signs_somebody_in_refreshes_and_signs_out(
    running: dict[str, NodeApplication], site: BridgeSite, visitor: Visitor
) -> None:
    """By the requests that its own pages send."""
    application = running["auth_js"]
    already = len(site.sessions())

    page = visitor.signs_in(visitor.posts(f"{application.url}/auth/signin/passerelle", token_of(visitor, application)))
    assert (page.status_code, page.url) == (200, application.url), f"{page.text}\n{application.log}"
    first = page.json()
    knows_the_user(site, first)
    assert len(site.sessions()) == already + 1

    answer = visitor.posts(f"{application.url}/auth/session", token_of(visitor, application))
    assert answer.status_code == 200, answer.text
    fresh = visitor.opens(application.url).json()
    knows_the_user(site, fresh)
    assert "refused" not in fresh
    assert fresh["refresh_token"] != first["refresh_token"]
    assert site.is_good(application.client, fresh["access_token"])

    leaving = {**token_of(visitor, application), "callbackUrl": fresh["end"]}
    page = visitor.posts(f"{application.url}/auth/signout", leaving)
    assert (page.status_code, page.url) == (401, f"{application.url}/")
    assert len(site.sessions()) == already
    assert not site.is_good(application.client, fresh["access_token"])
    assert not site.is_good(application.client, fresh["refresh_token"])
    page = visitor.posts(f"{application.url}/auth/signin/passerelle", token_of(visitor, application))
    assert page.url.startswith(f"{site.cas.url}/login?"), page.url
    assert visitor.times_asked == 1


def token_of(visitor: Visitor, application: NodeApplication) -> dict[str, str]:
    """What proves to Auth.js that a form is its own."""
    return dict(visitor.opens(f"{application.url}/auth/csrf").json())
