"""Lapsed authentication: computations and API tokens outlast it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.hub.hub_labs import configure_labs, report_activity, start_lab
from tests.support.hub.hub_process import HubProcess, Visitor
from tests.support.hub.node_provider import NodeProvider, install

pytestmark = pytest.mark.needs("node")

TOKEN_SECONDS = 2
AGE = 1.1
GRACE = 4
"""Seconds, in place of one and eight hours."""
LONG = GRACE + 1
TIMES = f"import hub.auth.refresh\nhub.auth.refresh.OUTAGE_GRACE = 1\nhub.auth.refresh.LAB_GRACE = {GRACE}\n"


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("node"))


Place = tuple[HubProcess, NodeProvider, Path]


def hub_and_provider(folder: Path, script: Path, *, strict: str, refresh_tokens: bool) -> Iterator[Place]:
    hub = HubProcess(folder)
    hub.add_config("30-times.py", TIMES)
    token_file = configure_labs(hub)
    seconds = {"access_token_seconds": 3600 if refresh_tokens else TOKEN_SECONDS}
    with NodeProvider(script, hub_url=hub.url, refresh_tokens=refresh_tokens, **seconds) as provider:
        hub.with_environment(
            {
                "AUTH_METHOD": "oidc",
                "AUTH_URL": provider.url,
                "AUTH_CLIENT_ID": provider.CLIENT_ID,
                "AUTH_SECRET_FILE": hub.write_secret("secret", provider.CLIENT_SECRET),
                "AUTH_REFRESH_STRICT": strict,
            }
        )
        with hub:
            yield hub, provider, token_file


@pytest.fixture(scope="module", params=["no", "yes"], ids=["lenient", "strict"])
def place(request: pytest.FixtureRequest, script: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A provider without refresh tokens: as with the bridge, only a browser can renew the authentication."""
    yield from hub_and_provider(tmp_path_factory.mktemp("hub"), script, strict=request.param, refresh_tokens=False)


@pytest.fixture(scope="module", params=["no", "yes"], ids=["lenient", "strict"])
def refreshing_place(
    request: pytest.FixtureRequest, script: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A provider with refresh tokens."""
    yield from hub_and_provider(tmp_path_factory.mktemp("hub"), script, strict=request.param, refresh_tokens=True)


def sign_in(hub: HubProcess, provider: NodeProvider, name: str) -> Visitor:
    provider.select_user(name)
    visitor = Visitor(hub)
    page = visitor.sign_in()
    assert page.url == f"{hub.url}/hub/home", f"{page.url}: {page.text[-1500:]}\n{hub.log[-3000:]}"
    return visitor


def last_activity(hub: HubProcess, name: str) -> str:
    """Return the lab's last activity in the hub's database."""
    question = "SELECT s.last_activity FROM spawners s JOIN users u ON u.id = s.user_id WHERE u.name = ?"
    with closing(sqlite3.connect(hub.folder / "jupyterhub.sqlite")) as database:
        return str(database.execute(question, (name,)).fetchone()[0])


def test_lab_keeps_running_after_lapse(place: Place) -> None:
    hub, provider, token_file = place
    provider.set_groups(ann=["students"])
    ann = sign_in(hub, provider, "ann")
    by_script = hub.create_token("ann")
    start_lab(hub, "ann", by_script)
    by_lab = token_file.read_text()
    before = last_activity(hub, "ann")
    time.sleep(LONG)

    assert hub.request("GET", "/user", by_script).status_code == 403, "the last confirmation is too old"
    assert hub.request("GET", "/user", by_lab).status_code == 403, "the lab's token grants no user access"
    assert report_activity(hub, "ann", by_lab).ok, hub.log[-2000:]
    assert hub.request("GET", "/users/ann/lifetime", by_lab).ok
    assert last_activity(hub, "ann") > before
    assert hub.request("GET", "/user", by_script).status_code == 403, "an activity report is no confirmation"

    assert ann.open_page().status_code == 302
    assert ann.sign_in().ok
    assert hub.request("GET", "/user", by_script).ok, "tokens for scripts are valid again"


def test_lab_keeps_running_after_revocation(refreshing_place: Place) -> None:
    hub, provider, token_file = refreshing_place
    provider.set_groups(ben=["students"])
    sign_in(hub, provider, "ben")
    by_script = hub.create_token("ben")
    start_lab(hub, "ben", by_script)
    by_lab = token_file.read_text()
    provider.set_groups(ben=[])
    time.sleep(AGE)
    assert hub.request("GET", "/user", by_script).status_code == 403
    assert report_activity(hub, "ben", by_lab).ok, hub.log[-2000:]
    assert not report_activity(hub, "ben", by_script).ok
    provider.set_groups(ben=["students"])
    assert sign_in(hub, provider, "ben").is_signed_in()
    assert hub.request("GET", "/user", by_script).status_code == 403, "the token stays revoked"


def test_ended_session_revokes_cookies_but_not_script_tokens(refreshing_place: Place) -> None:
    """An ended session may be a logout, so the old cookie must stay revoked."""
    hub, provider, _ = refreshing_place
    provider.set_groups(dan=["students"])
    dan = sign_in(hub, provider, "dan")
    by_script = hub.create_token("dan")
    provider.set_groups()
    time.sleep(AGE)
    assert hub.request("GET", "/user", by_script).status_code == 403
    provider.set_groups(dan=["students"])
    assert not dan.is_signed_in(), "the old cookie must stay revoked"
    sign_in(hub, provider, "dan")
    assert hub.request("GET", "/user", by_script).ok
    assert not dan.is_signed_in()


def test_provider_outage_after_grace_revokes_nothing(place: Place) -> None:
    hub, provider, _ = place
    provider.set_groups(cleo=["students"])
    cleo = sign_in(hub, provider, "cleo")
    by_script = hub.create_token("cleo")
    time.sleep(LONG)
    provider.set_down(True)
    try:
        assert not cleo.is_signed_in()
        assert hub.request("GET", "/user", by_script).status_code == 403
    finally:
        provider.set_down(False)
    assert cleo.sign_in().ok
    assert hub.request("GET", "/user", by_script).ok
