"""A running bridge delivers logout tokens, also after a stop or a kill."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.oauth.backchannel import LEASE_SECONDS
from tests.support.bridge.actors import App, Browser, Wire
from tests.support.bridge.command_forks import Call, Command
from tests.support.bridge.live_bridge import LiveBridge
from tests.support.cas.logout_receiver import LogoutReceiver
from tests.support.cas.scripted_cas import ScriptedCas

REDIRECT_URI = "http://127.0.0.1:9/cb"


@pytest.fixture
def hub() -> Iterator[LogoutReceiver]:
    with LogoutReceiver() as receiver:
        yield receiver


@pytest.fixture
def bridge(tmp_path: Path, hub: LogoutReceiver) -> Iterator[LiveBridge]:
    clients: list[dict[str, Any]] = [
        {
            "client_id": "hub",
            "client_secret": "hub-secret-of-some-length",
            "redirect_uris": [REDIRECT_URI],
            "backchannel_logout_uri": hub.url,
        }
    ]
    settings = {"PASSERELLE_WORKERS": "2"}
    with ScriptedCas() as cas, LiveBridge(tmp_path, cas_url=cas.url, clients=clients, settings=settings) as bridge:
        yield bridge


def signed_in(bridge: LiveBridge) -> tuple[Browser, str]:
    """Sign in; return the browser and an ID token."""
    wire = Wire(bridge.url, port=bridge.port)
    browser, app = Browser(wire), App(wire, secret="hub-secret-of-some-length", redirect_uri=REDIRECT_URI)
    tokens = app.redeem(app.extract_code(browser.sign_in(app.authorization_url(scope="openid")))).json
    return browser, tokens["id_token"]


def run(bridge: LiveBridge, *command: str) -> str:
    folder = bridge.log_file.parent
    done = Command(Call(words=command, folder=folder, environment=bridge.environment), folder / "output").wait()
    assert done.status == 0, done.stderr
    return done.stdout


def test_logout_token_is_delivered_by_one_worker(bridge: LiveBridge, hub: LogoutReceiver) -> None:
    browser, hint = signed_in(bridge)

    assert browser.get(f"{bridge.url}/logout?id_token_hint={hint}").status == 303

    hub.wait_for(1)
    time.sleep(2.5)
    assert len(hub.told) == 1, "one worker delivers"
    assert json.loads(run(bridge, "logout-deliveries", "list", "--json")) == []


def test_logout_token_is_delivered_after_start(bridge: LiveBridge, hub: LogoutReceiver) -> None:
    signed_in(bridge)
    (session,) = json.loads(run(bridge, "sessions", "list", "--json"))
    bridge.stop()

    assert run(bridge, "sessions", "end", session["sid"]) == "1 session ended.\n"
    assert hub.told == []
    waiting = run(bridge, "logout-deliveries", "list")
    assert hub.url in waiting
    bridge.start()

    hub.wait_for(1)


def test_killed_bridge_loses_no_logout_token(bridge: LiveBridge, hub: LogoutReceiver) -> None:
    browser, hint = signed_in(bridge)

    assert browser.get(f"{bridge.url}/logout?id_token_hint={hint}").status == 303
    bridge.stop(signal.SIGKILL)
    delivered_before = len(hub.told)
    bridge.start()

    # A worker killed during an attempt leaves a lease that must expire first.
    hub.wait_for(1, within=0 if delivered_before else LEASE_SECONDS + 20)


def test_failed_delivery_is_listed_with_reason(bridge: LiveBridge, hub: LogoutReceiver) -> None:
    hub.status = 503
    _, hint = signed_in(bridge)
    run(bridge, "sessions", "end", "--subject", "alice")
    hub.wait_for(1)

    time.sleep(0.5)
    (delivery,) = json.loads(run(bridge, "logout-deliveries", "list", "--json"))
    assert (delivery["client_id"], delivery["last_error"]) == ("hub", "answered with status 503")
    assert hint not in bridge.log
    assert hub.told[0].token not in bridge.log
