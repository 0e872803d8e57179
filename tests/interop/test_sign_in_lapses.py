"""What time alone does to a sign-in, and what it does not: computations and tokens outlast a night."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.hub.hub_labs import reports_use, starts_lab, with_labs
from tests.support.hub.hub_process import HubProcess, Visitor
from tests.support.hub.node_provider import NodeProvider, install

pytestmark = pytest.mark.needs("node")

TOKEN_SECONDS = 2
AGE = 1.1
GRACE = 4
"""Instead of an hour and of eight."""
LONG = GRACE + 1
TIMES = f"import hub.auth.refresh\nhub.auth.refresh.OUTAGE_GRACE = 1\nhub.auth.refresh.LAB_GRACE = {GRACE}\n"


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("node"))


Place = tuple[HubProcess, NodeProvider, Path]


def hub_and_provider(folder: Path, script: Path, *, strict: str, refresh_tokens: bool) -> Iterator[Place]:
    hub = HubProcess(folder)
    hub.configured("30-times.py", TIMES)
    token_file = with_labs(hub)
    seconds = {"access_token_seconds": 3600 if refresh_tokens else TOKEN_SECONDS}
    with NodeProvider(script, hub_url=hub.url, refresh_tokens=refresh_tokens, **seconds) as provider:
        hub.with_settings(
            {
                "AUTH_METHOD": "oidc",
                "AUTH_URL": provider.url,
                "AUTH_CLIENT_ID": provider.CLIENT_ID,
                "AUTH_SECRET_FILE": hub.secret("secret", provider.CLIENT_SECRET),
                "AUTH_REFRESH_STRICT": strict,
            }
        )
        with hub:
            yield hub, provider, token_file


@pytest.fixture(scope="module", params=["no", "yes"], ids=["lenient", "strict"])
def place(request: pytest.FixtureRequest, script: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A provider without refresh tokens: as with the bridge, only a browser brings fresh facts."""
    yield from hub_and_provider(tmp_path_factory.mktemp("hub"), script, strict=request.param, refresh_tokens=False)


@pytest.fixture(scope="module", params=["no", "yes"], ids=["lenient", "strict"])
def asked_place(
    request: pytest.FixtureRequest, script: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A provider that can always be asked."""
    yield from hub_and_provider(tmp_path_factory.mktemp("hub"), script, strict=request.param, refresh_tokens=True)


def enters(hub: HubProcess, provider: NodeProvider, name: str) -> Visitor:
    provider.lets(name)
    visitor = Visitor(hub)
    page = visitor.sign_in()
    assert page.url == f"{hub.url}/hub/home", f"{page.url}: {page.text[-1500:]}\n{hub.log[-3000:]}"
    return visitor


def last_use(hub: HubProcess, name: str) -> str:
    """Of the lab, as those who stop idle ones see it."""
    question = "SELECT s.last_activity FROM spawners s JOIN users u ON u.id = s.user_id WHERE u.name = ?"
    with closing(sqlite3.connect(hub.folder / "jupyterhub.sqlite")) as database:
        return str(database.execute(question, (name,)).fetchone()[0])


def test_a_computation_outlasts_the_night_while_nobody_may_enter(place: Place) -> None:
    hub, provider, token_file = place
    provider.knows(ann=["students"])
    ann = enters(hub, provider, "ann")
    by_script = hub.token_of("ann")
    starts_lab(hub, "ann", by_script)
    by_lab = token_file.read_text()
    before = last_use(hub, "ann")
    time.sleep(LONG)

    assert hub.asks("GET", "/user", by_script).status_code == 403, "nobody has confirmed it for too long"
    assert hub.asks("GET", "/user", by_lab).status_code == 403, "the lab's token is no way in"
    assert reports_use(hub, "ann", by_lab).ok, hub.log[-2000:]
    assert hub.asks("GET", "/users/ann/lifetime", by_lab).ok
    assert last_use(hub, "ann") > before
    assert hub.asks("GET", "/user", by_script).status_code == 403, "a report is no answer of the provider"

    assert ann.looks().status_code == 302
    assert ann.sign_in().ok
    assert hub.asks("GET", "/user", by_script).ok, "what she made for her scripts is as good as before"


def test_a_computation_of_somebody_who_lost_the_group_goes_on_as_well(asked_place: Place) -> None:
    hub, provider, token_file = asked_place
    provider.knows(ben=["students"])
    enters(hub, provider, "ben")
    by_script = hub.token_of("ben")
    starts_lab(hub, "ben", by_script)
    by_lab = token_file.read_text()
    provider.knows(ben=[])
    time.sleep(AGE)
    assert hub.asks("GET", "/user", by_script).status_code == 403
    assert reports_use(hub, "ben", by_lab).ok, hub.log[-2000:]
    assert not reports_use(hub, "ben", by_script).ok
    provider.knows(ben=["students"])
    assert enters(hub, provider, "ben").is_in()
    assert hub.asks("GET", "/user", by_script).status_code == 403, "for good: the provider has said no"


def test_a_sign_in_that_ended_takes_the_cookies_and_leaves_what_was_made_for_scripts(asked_place: Place) -> None:
    """Nobody can tell a night from a session that was ended: whoever finds the cookie must not profit by it."""
    hub, provider, _ = asked_place
    provider.knows(dan=["students"])
    dan = enters(hub, provider, "dan")
    by_script = hub.token_of("dan")
    provider.knows()
    time.sleep(AGE)
    assert hub.asks("GET", "/user", by_script).status_code == 403
    provider.knows(dan=["students"])
    assert not dan.is_in(), "the cookie of before must not come to life again"
    enters(hub, provider, "dan")
    assert hub.asks("GET", "/user", by_script).ok
    assert not dan.is_in()


def test_a_provider_that_is_away_in_the_morning_has_said_no_to_nobody(place: Place) -> None:
    hub, provider, _ = place
    provider.knows(cleo=["students"])
    cleo = enters(hub, provider, "cleo")
    by_script = hub.token_of("cleo")
    time.sleep(LONG)
    provider.is_down(True)
    try:
        assert not cleo.is_in()
        assert hub.asks("GET", "/user", by_script).status_code == 403
    finally:
        provider.is_down(False)
    assert cleo.sign_in().ok
    assert hub.asks("GET", "/user", by_script).ok
