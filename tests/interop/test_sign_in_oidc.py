"""Signing in at an OpenID Connect provider that is not ours, and losing access while signed in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.hub.hub_process import HubProcess, Visitor
from tests.support.hub.node_provider import GITLAB_ROUTES, NodeProvider, install

pytestmark = pytest.mark.needs("node")

TOKEN_SECONDS = 4
AGE = 1.1
"""After which the hub asks again."""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="module", params=["oidc", "gitlab"])
def place(
    request: pytest.FixtureRequest, script: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[HubProcess, NodeProvider]]:
    hub = HubProcess(tmp_path_factory.mktemp(f"hub-{request.param}"))
    routes = GITLAB_ROUTES if request.param == "gitlab" else None
    with NodeProvider(script, hub_url=hub.url, routes=routes, access_token_seconds=TOKEN_SECONDS) as provider:
        hub.with_settings(
            {
                "AUTH_METHOD": request.param,
                "AUTH_URL": provider.url,
                "AUTH_CLIENT_ID": provider.CLIENT_ID,
                "AUTH_SECRET_FILE": hub.secret("secret", provider.CLIENT_SECRET),
            }
        )
        with hub:
            yield hub, provider


@pytest.fixture
def hub(place: tuple[HubProcess, NodeProvider]) -> HubProcess:
    return place[0]


@pytest.fixture
def provider(place: tuple[HubProcess, NodeProvider]) -> NodeProvider:
    return place[1]


def enters(hub: HubProcess, provider: NodeProvider, name: str) -> Visitor:
    provider.lets(name)
    visitor = Visitor(hub)
    page = visitor.sign_in()
    assert page.ok, f"{page.url}: {page.text[-1500:]}\n{hub.log[-3000:]}"
    assert page.url == f"{hub.url}/hub/home"
    return visitor


def test_a_member_enters_with_groups_and_rights(hub: HubProcess, provider: NodeProvider) -> None:
    provider.knows(alice=["staff", "admins"])
    enters(hub, provider, "alice")
    user = hub.user("alice")
    assert (user["admin"], sorted(user["groups"])) == (True, ["admins", "staff"])


def test_who_is_in_none_of_the_groups_is_told_no_and_what_to_do(hub: HubProcess, provider: NodeProvider) -> None:
    provider.knows(mallory=["guests"])
    provider.lets("mallory")
    page = Visitor(hub).sign_in()
    assert page.status_code == 403
    assert "you do not have access to this hub" in page.text
    assert hub.user("mallory").get("status") == 404


def test_taken_out_of_the_group_means_out_at_the_next_refresh(hub: HubProcess, provider: NodeProvider) -> None:
    provider.knows(bob=["students"])
    bob = enters(hub, provider, "bob")
    token = hub.token_of("bob")
    assert hub.asks("GET", "/user", token).ok
    provider.knows(bob=["alumni"])
    time.sleep(AGE)
    page = bob.looks()
    assert page.status_code == 302
    assert "/hub/login" in page.headers["Location"]
    assert hub.asks("GET", "/user", token).status_code == 403
    assert bob.sign_in().status_code == 403


def test_a_lab_alone_is_enough_to_notice_it(hub: HubProcess, provider: NodeProvider) -> None:
    """No page of the hub is opened: the lab asks by its token who its visitor is."""
    provider.knows(carol=["students"])
    carol = enters(hub, provider, "carol")
    token = hub.token_of("carol")
    provider.knows(carol=[])
    time.sleep(AGE)
    assert hub.asks("GET", "/user", token).status_code == 403
    provider.knows(carol=["students"])
    assert not carol.is_in(), "the cookie of before must not come to life again"


def test_groups_and_rights_follow_without_a_new_sign_in(hub: HubProcess, provider: NodeProvider) -> None:
    provider.knows(dora=["staff", "admins"])
    dora = enters(hub, provider, "dora")
    provider.knows(dora=["staff", "algebra"])
    time.sleep(AGE)
    assert dora.is_in()
    user = hub.user("dora")
    assert (user["admin"], sorted(user["groups"])) == (False, ["algebra", "staff"])


def test_a_refresh_token_takes_over_and_many_requests_at_once_spend_it_once(
    hub: HubProcess, provider: NodeProvider
) -> None:
    """The provider takes a second use for a theft, and would take everything back."""
    provider.knows(erik=["students"])
    erik = enters(hub, provider, "erik")
    path = "/oauth/token" if hub.environment["AUTH_METHOD"] == "gitlab" else "/token"
    for _ in range(3):
        time.sleep(TOKEN_SECONDS + 0.5)
        before = provider.counted(path)
        with ThreadPoolExecutor(16) as pool:
            seen = list(pool.map(lambda _: erik.looks().status_code, range(16)))
        assert seen == [200] * 16, hub.log[-3000:]
        assert provider.counted(path) == before + 1


def test_a_provider_that_is_down_signs_nobody_out(hub: HubProcess, provider: NodeProvider) -> None:
    provider.knows(fay=["students"])
    fay = enters(hub, provider, "fay")
    provider.is_down(True)
    try:
        time.sleep(AGE)
        assert fay.is_in()
    finally:
        provider.is_down(False)
    provider.knows(fay=[])
    time.sleep(AGE)
    assert not fay.is_in()


def test_an_account_that_is_no_more_is_out(hub: HubProcess, provider: NodeProvider) -> None:
    provider.knows(gil=["students"])
    gil = enters(hub, provider, "gil")
    provider.knows()
    time.sleep(AGE)
    assert not gil.is_in()


def test_signing_out_of_the_hub_leads_to_where_the_provider_ends_its_session(
    hub: HubProcess, provider: NodeProvider
) -> None:
    provider.knows(hal=["students"])
    hal = enters(hub, provider, "hal")
    page = hal.looks("/hub/logout")
    ends_there = page.headers.get("Location", "").startswith(f"{provider.url}/session/end?client_id=the-hub&")
    assert ends_there is ("AUTH_METHOD" in hub.environment and hub.environment["AUTH_METHOD"] == "oidc")
    assert not hal.is_in()


def test_a_name_that_is_somebody_elses_now_opens_nothing_of_before(hub: HubProcess, provider: NodeProvider) -> None:
    provider.knows(kim=["students"])
    enters(hub, provider, "kim")
    token = hub.token_of("kim")
    for groups in (["students"], []):
        provider.names(mallory=("kim", groups))
        provider.lets("mallory")
        page = Visitor(hub).sign_in()
        assert (page.status_code, "belongs to another user" in page.text) == (403, True)
        provider.knows(kim=["students"])
        assert hub.asks("GET", "/user", token).ok, "who comes by a name signs nobody out"
    hub.changes("kim", auth_state={})  # as after an update: nothing was kept, and the first to come is the one
    provider.names(mallory=("kim", ["students"]))
    assert enters(hub, provider, "mallory").is_in()
    provider.names(kim=("kim", ["students"]))
    provider.lets("kim")
    assert Visitor(hub).sign_in().status_code == 403


def test_an_account_moves_to_a_new_name_when_an_administrator_says_so(hub: HubProcess, provider: NodeProvider) -> None:
    provider.knows(lou=["students"])
    enters(hub, provider, "lou")
    provider.names(lou=("louise", ["students"]))
    hub.changes("lou", name="louise")
    provider.lets("lou")
    assert Visitor(hub).sign_in().ok
    assert hub.user("lou").get("status") == 404


def test_no_secret_and_no_token_is_in_the_log(hub: HubProcess, provider: NodeProvider) -> None:
    for secret in (provider.CLIENT_SECRET, hub.token, 'refresh_token":', 'access_token":'):
        assert secret not in hub.log


@pytest.fixture
def hub_of_its_own(script: Path, tmp_path: Path) -> Iterator[tuple[HubProcess, NodeProvider]]:
    """Where the provider gives no refresh tokens, and can be gone for good."""
    hub = HubProcess(tmp_path)
    with NodeProvider(script, hub_url=hub.url, access_token_seconds=TOKEN_SECONDS, refresh_tokens=False) as provider:
        yield (
            hub.with_settings(
                {
                    "AUTH_METHOD": "oidc",
                    "AUTH_URL": f"{provider.url}/",
                    "AUTH_CLIENT_ID": provider.CLIENT_ID,
                    "AUTH_SECRET_FILE": hub.secret("secret", provider.CLIENT_SECRET),
                }
            ),
            provider,
        )


def test_without_refresh_tokens_the_browser_passes_the_provider_unasked_and_the_lab_goes_on(
    hub_of_its_own: tuple[HubProcess, NodeProvider],
) -> None:
    hub, provider = hub_of_its_own
    with hub:
        provider.knows(ivy=["students"])
        ivy = enters(hub, provider, "ivy")
        token = hub.token_of("ivy")
        time.sleep(TOKEN_SECONDS + 1)
        assert hub.asks("GET", "/user", token).ok
        page = ivy.get(f"{hub.url}/hub/token?x=1", timeout=30)
        assert (page.status_code, page.url) == (200, f"{hub.url}/hub/token?x=1")
        assert len(page.history) >= 3
        provider.knows(ivy=[])
        time.sleep(TOKEN_SECONDS + 1)
        assert not ivy.is_in()


def test_a_hub_starts_while_the_provider_is_down_if_it_has_known_it_before(
    hub_of_its_own: tuple[HubProcess, NodeProvider],
) -> None:
    hub, provider = hub_of_its_own
    provider.is_down(True)
    told = hub.refuses_to_start()
    assert "AUTH_URL does not lead to an OpenID Connect provider" in told
    assert "Traceback" not in told
    provider.is_down(False)
    with hub:
        pass
    provider.is_down(True)
    with hub:
        assert Visitor(hub).looks("/hub/login").ok
