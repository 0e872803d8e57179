"""Tests of `passerelle serve` as a process: start, stop, kill and restart."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from tests.http.world import CLIENTS, HUB_SECRET
from tests.support.bridge.actors import App, Browser, Wire
from tests.support.bridge.live_bridge import PASSERELLE, LiveBridge
from tests.support.cas.scripted_cas import Exchange, ScriptedCas

READY_SECONDS = 20


def browser_and_hub(bridge: LiveBridge) -> tuple[Browser, App]:
    wire = Wire(bridge.url, port=bridge.port)
    return Browser(wire), App(wire, secret=HUB_SECRET)


def members_of(group: int) -> list[int]:
    """Return the processes of a group, except zombies."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, pgrp = place.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(pgrp) == group and state != "Z":
            found.append(int(place.parent.name))
    return found


def workers_of(parent: int) -> list[int]:
    """Wait until the process that prints the ready line has ended, and return both workers."""
    deadline = time.monotonic() + 10
    while len(found := members_of(parent)) != 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(found) == 3
    return [pid for pid in found if pid != parent]


def gone_within(seconds: float, group: int) -> bool:
    deadline = time.monotonic() + seconds
    while members_of(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not members_of(group)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_serve_prints_one_line_and_stops_on_signals(live_bridge: LiveBridge, how: int) -> None:
    live_bridge.start(READY_SECONDS)  # asserts the first line
    process = live_bridge.process
    assert process is not None
    assert process.stdout is not None
    assert Wire(live_bridge.url, port=live_bridge.port).send("GET", "/readyz").status == 200
    assert len(members_of(process.pid)) >= 3
    process.send_signal(how)
    # Docker kills after ten seconds; a starting worker must not miss the signal.
    assert process.wait(5) == 0
    assert process.stdout.read() == ""
    process.stdout.close()
    assert gone_within(5, process.pid)


def test_stop_finishes_running_requests(live_bridge: LiveBridge, cas: ScriptedCas) -> None:
    live_bridge.start(READY_SECONDS)
    process, (browser, hub) = live_bridge.process, browser_and_hub(live_bridge)
    assert process is not None
    assert process.stdout is not None
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))

    def stop_the_bridge(exchange: Exchange) -> None:
        process.terminate()
        exchange.pause(0.5)
        exchange.cas.validate(exchange)

    cas.script = stop_the_bridge
    assert hub.extract_code(browser.get(callback))
    assert process.wait(10) == 0
    process.stdout.close()


def test_complete_sign_in_logs_json_without_secrets_row73(serving: LiveBridge) -> None:
    browser, hub = browser_and_hub(serving)
    code = hub.extract_code(browser.sign_in(hub.authorization_url()))
    token = hub.redeem(code).json["access_token"]
    assert hub.fetch_userinfo(token).json["sub"] == "alice"
    assert hub.redeem(code).status == 400
    assert hub.redeem("x", client_secret="a wrong one").status == 401
    browser.get("/cas/callback?ticket=ST-forged&state=x")
    log = serving.log
    recorded = [json.loads(line) for line in log.splitlines()]
    assert {"signed_in", "token_issued", "token_refused", "refused"} <= {event["event"] for event in recorded}
    hidden = hub.wire.secrets | hub.wire.states | {"a wrong one", "ST-forged"}
    hidden.add(serving.environment["PASSERELLE_SECRET_KEY"])
    assert not [secret for secret in hidden if secret in log]


def test_serve_can_bind_to_a_host_name(live_bridge: LiveBridge) -> None:
    live_bridge.environment["PASSERELLE_BIND"] = f"localhost:{live_bridge.port}"
    with live_bridge:
        assert Wire(live_bridge.url, port=live_bridge.port).send("GET", "/healthz").status == 200


def test_database_is_readable_by_owner_only_row65(serving: LiveBridge) -> None:
    files = list(serving.log_file.parent.glob("bridge.sqlite3*"))
    assert files
    assert not [file for file in files if stat.S_IMODE(file.stat().st_mode) & 0o077]


def test_killed_server_continues_logins_after_restart(live_bridge: LiveBridge) -> None:
    """Only the parent is killed, as by the out-of-memory killer."""
    live_bridge.start(READY_SECONDS)
    browser, hub = browser_and_hub(live_bridge)
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    killed = live_bridge.process
    assert killed is not None
    assert killed.stdout is not None
    killed.kill()
    killed.wait(5)
    killed.stdout.close()
    assert gone_within(5, killed.pid), "workers without a parent keep the port"
    with live_bridge:
        code = hub.extract_code(browser.get(callback))
        assert hub.fetch_userinfo(hub.redeem(code).json["access_token"]).json["sub"] == "alice"


def test_killed_worker_is_replaced(serving: LiveBridge) -> None:
    process, wire = serving.process, Wire(serving.url, port=serving.port)
    assert process is not None
    os.kill(killed := workers_of(process.pid)[0], signal.SIGKILL)
    time.sleep(0.2)
    assert killed not in workers_of(process.pid)
    assert wire.send("GET", "/readyz").status == 200


def test_two_servers_on_new_database_create_one_key_row65(tmp_path: Path) -> None:
    bridges = [LiveBridge(tmp_path, cas_url="http://127.0.0.1:9/cas", clients=CLIENTS) for _ in range(2)]
    try:
        starts = [
            subprocess.Popen(
                [PASSERELLE, "serve"], env=bridge.environment, stdout=subprocess.PIPE, start_new_session=True
            )
            for bridge in bridges
        ]
        assert all(b"serves" in process.stdout.readline() for process in starts if process.stdout)
        keys = [Wire(bridge.url, port=bridge.port).send("GET", "/.well-known/jwks.json").json for bridge in bridges]
    finally:
        for process in starts:
            process.terminate()
            process.communicate(timeout=15)
    assert [key["alg"] for key in keys[0]["keys"]] == ["RS256", "ES256"]
    assert keys[0] == keys[1]
