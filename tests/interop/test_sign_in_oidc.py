"""Sign-in at an independent OpenID Connect provider, and loss of access."""

from __future__ import annotations

import re
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
"""Seconds after which the hub revalidates a user."""


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
        hub.with_environment(
            {
                "AUTH_METHOD": request.param,
                "AUTH_URL": provider.url,
                "AUTH_CLIENT_ID": provider.CLIENT_ID,
                "AUTH_SECRET_FILE": hub.write_secret("secret", provider.CLIENT_SECRET),
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


def sign_in(hub: HubProcess, provider: NodeProvider, name: str) -> Visitor:
    provider.select_user(name)
    visitor = Visitor(hub)
    page = visitor.sign_in()
    assert page.ok, f"{page.url}: {page.text[-1500:]}\n{hub.log[-3000:]}"
    assert page.url == f"{hub.url}/hub/home"
    return visitor


def test_member_signs_in_with_groups_and_rights(hub: HubProcess, provider: NodeProvider) -> None:
    provider.set_groups(alice=["staff", "admins"])
    sign_in(hub, provider, "alice")
    user = hub.user("alice")
    assert (user["admin"], sorted(user["groups"])) == (True, ["admins", "staff"])


def test_user_without_allowed_group_is_denied_with_advice(hub: HubProcess, provider: NodeProvider) -> None:
    provider.set_groups(mallory=["guests"])
    provider.select_user("mallory")
    page = Visitor(hub).sign_in()
    assert page.status_code == 403
    assert "you do not have access to this hub" in page.text
    assert hub.user("mallory").get("status") == 404


def test_removal_from_group_revokes_access(hub: HubProcess, provider: NodeProvider) -> None:
    provider.set_groups(bob=["students"])
    bob = sign_in(hub, provider, "bob")
    token = hub.create_token("bob")
    assert hub.request("GET", "/user", token).ok
    provider.set_groups(bob=["alumni"])
    time.sleep(AGE)
    page = bob.open_page()
    assert page.status_code == 302
    assert "/hub/login" in page.headers["Location"]
    assert hub.request("GET", "/user", token).status_code == 403
    assert bob.sign_in().status_code == 403


def test_token_request_alone_revokes_access(hub: HubProcess, provider: NodeProvider) -> None:
    """No page of the hub is opened; the lab resolves its user by token."""
    provider.set_groups(carol=["students"])
    carol = sign_in(hub, provider, "carol")
    token = hub.create_token("carol")
    provider.set_groups(carol=[])
    time.sleep(AGE)
    assert hub.request("GET", "/user", token).status_code == 403
    provider.set_groups(carol=["students"])
    assert not carol.is_signed_in(), "the old cookie must stay revoked"


def test_groups_are_updated_without_new_sign_in(hub: HubProcess, provider: NodeProvider) -> None:
    provider.set_groups(dora=["staff", "admins"])
    dora = sign_in(hub, provider, "dora")
    provider.set_groups(dora=["staff", "algebra"])
    time.sleep(AGE)
    assert dora.is_signed_in()
    user = hub.user("dora")
    assert (user["admin"], sorted(user["groups"])) == (False, ["algebra", "staff"])


def test_parallel_requests_use_refresh_token_once(hub: HubProcess, provider: NodeProvider) -> None:
    """The provider treats a second use as theft and revokes the grant."""
    provider.set_groups(erik=["students"])
    erik = sign_in(hub, provider, "erik")
    path = "/oauth/token" if hub.environment["AUTH_METHOD"] == "gitlab" else "/token"
    for _ in range(3):
        time.sleep(TOKEN_SECONDS + 0.5)
        before = provider.request_count(path)
        with ThreadPoolExecutor(16) as pool:
            seen = list(pool.map(lambda _: erik.open_page().status_code, range(16)))
        assert seen == [200] * 16, hub.log[-3000:]
        assert provider.request_count(path) == before + 1


def test_provider_outage_signs_no_user_out(hub: HubProcess, provider: NodeProvider) -> None:
    provider.set_groups(fay=["students"])
    fay = sign_in(hub, provider, "fay")
    provider.set_down(True)
    try:
        time.sleep(AGE)
        assert fay.is_signed_in()
    finally:
        provider.set_down(False)
    provider.set_groups(fay=[])
    time.sleep(AGE)
    assert not fay.is_signed_in()


def test_deleted_account_loses_access(hub: HubProcess, provider: NodeProvider) -> None:
    provider.set_groups(gil=["students"])
    gil = sign_in(hub, provider, "gil")
    provider.set_groups()
    time.sleep(AGE)
    assert not gil.is_signed_in()


def test_logout_redirects_to_end_session_endpoint(hub: HubProcess, provider: NodeProvider) -> None:
    provider.set_groups(hal=["students"])
    hal = sign_in(hub, provider, "hal")
    page = hal.open_page("/hub/logout")
    ends_there = page.headers.get("Location", "").startswith(f"{provider.url}/session/end?client_id=the-hub&")
    assert ends_there is ("AUTH_METHOD" in hub.environment and hub.environment["AUTH_METHOD"] == "oidc")
    assert not hal.is_signed_in()


def test_reused_name_does_not_open_old_account(hub: HubProcess, provider: NodeProvider) -> None:
    provider.set_groups(kim=["students"])
    sign_in(hub, provider, "kim")
    token = hub.create_token("kim")
    for groups in (["students"], []):
        provider.set_accounts(mallory=("kim", groups))
        provider.select_user("mallory")
        page = Visitor(hub).sign_in()
        assert (page.status_code, "belongs to another user" in page.text) == (403, True)
        provider.set_groups(kim=["students"])
        assert hub.request("GET", "/user", token).ok, "a rejected sign-in must not revoke the owner's tokens"
    hub.update_user("kim", auth_state={})  # without a stored id, the first sign-in binds the account
    provider.set_accounts(mallory=("kim", ["students"]))
    assert sign_in(hub, provider, "mallory").is_signed_in()
    provider.set_accounts(kim=("kim", ["students"]))
    provider.select_user("kim")
    assert Visitor(hub).sign_in().status_code == 403


def test_administrator_can_rename_account(hub: HubProcess, provider: NodeProvider) -> None:
    provider.set_groups(lou=["students"])
    sign_in(hub, provider, "lou")
    provider.set_accounts(lou=("louise", ["students"]))
    hub.update_user("lou", name="louise")
    provider.select_user("lou")
    assert Visitor(hub).sign_in().ok
    assert hub.user("lou").get("status") == 404


def test_log_contains_neither_secrets_nor_tokens(hub: HubProcess, provider: NodeProvider) -> None:
    for secret in (provider.CLIENT_SECRET, hub.token, 'refresh_token":', 'access_token":'):
        assert secret not in hub.log


@pytest.fixture
def separate_hub(script: Path, tmp_path: Path) -> Iterator[tuple[HubProcess, NodeProvider]]:
    """A provider without refresh tokens, for one test."""
    hub = HubProcess(tmp_path)
    with NodeProvider(script, hub_url=hub.url, access_token_seconds=TOKEN_SECONDS, refresh_tokens=False) as provider:
        yield (
            hub.with_environment(
                {
                    "AUTH_METHOD": "oidc",
                    "AUTH_URL": f"{provider.url}/",
                    "AUTH_CLIENT_ID": provider.CLIENT_ID,
                    "AUTH_SECRET_FILE": hub.write_secret("secret", provider.CLIENT_SECRET),
                }
            ),
            provider,
        )


def test_browser_renews_without_refresh_tokens(
    separate_hub: tuple[HubProcess, NodeProvider],
) -> None:
    hub, provider = separate_hub
    with hub:
        provider.set_groups(ivy=["students"])
        ivy = sign_in(hub, provider, "ivy")
        token = hub.create_token("ivy")
        time.sleep(TOKEN_SECONDS + 1)
        assert hub.request("GET", "/user", token).ok
        page = ivy.get(f"{hub.url}/hub/token?x=1", timeout=30)
        assert (page.status_code, page.url) == (200, f"{hub.url}/hub/token?x=1")
        assert len(page.history) >= 3
        provider.set_groups(ivy=[])
        time.sleep(TOKEN_SECONDS + 1)
        assert not ivy.is_signed_in()


def test_sign_out_at_the_provider_ends_one_sign_in(separate_hub: tuple[HubProcess, NodeProvider]) -> None:
    hub, provider = separate_hub
    with hub:
        provider.set_groups(max=["students"])
        kept, ended = sign_in(hub, provider, "max"), sign_in(hub, provider, "max")
        question = ended.get(f"{provider.url}/session/end", timeout=20)
        xsrf = re.findall(r'name="xsrf" value="([^"]+)"', question.text)[0]
        ended.post(f"{provider.url}/session/end/confirm", data={"xsrf": xsrf, "logout": "yes"}, timeout=20)
        assert not ended.is_signed_in(), hub.log[-3000:]
        assert kept.is_signed_in()
        assert "Accepted a logout token for 1 sign-ins" in hub.log


def test_hub_starts_during_outage_with_stored_discovery(
    separate_hub: tuple[HubProcess, NodeProvider],
) -> None:
    hub, provider = separate_hub
    provider.set_down(True)
    error = hub.start_error()
    assert "AUTH_URL does not lead to an OpenID Connect provider" in error
    assert "Traceback" not in error
    provider.set_down(False)
    with hub:
        pass
    provider.set_down(True)
    with hub:
        assert Visitor(hub).open_page("/hub/login").ok
