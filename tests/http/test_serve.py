"""`passerelle serve` as a process: how it starts, says no, is stopped, killed and started again."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http.world import CLIENTS, HUB_SECRET
from tests.support.actors import App, Browser, Wire
from tests.support.live_bridge import PASSERELLE, LiveBridge
from tests.support.scripted_cas import ScriptedCas

READY_SECONDS = 20
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1  # <sys/prctl.h>, <linux/capability.h>


@pytest.fixture(scope="module")
def cas() -> Iterator[ScriptedCas]:
    with ScriptedCas() as cas:
        yield cas


@pytest.fixture
def bridge(cas: ScriptedCas, tmp_path: Path) -> Iterator[LiveBridge]:
    """Not started yet; whatever is left of it at the end is killed."""
    bridge = LiveBridge(tmp_path, cas_url=cas.url, clients=CLIENTS, settings={"PASSERELLE_WORKERS": "2"})
    yield bridge
    if bridge.process is not None and members_of(bridge.process.pid):
        bridge.stop(signal.SIGKILL)


def without_root_powers() -> None:
    """Tests may run as root, whom file permissions do not stop."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


def refused(bridge: LiveBridge, **settings: str | None) -> str:
    """What it says when it does not start; that it says it properly is asserted here."""
    changed = bridge.environment | {f"PASSERELLE_{name.upper()}": value for name, value in settings.items()}
    environment = {name: value for name, value in changed.items() if value is not None}
    ended = subprocess.run(
        [PASSERELLE, "serve"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=READY_SECONDS,
        check=False,
        preexec_fn=without_root_powers,
    )
    assert (ended.returncode, ended.stdout) == (1, ""), ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr


def people(bridge: LiveBridge) -> tuple[Browser, App]:
    wire = Wire(bridge.url, port=bridge.port)
    return Browser(wire), App(wire, secret=HUB_SECRET)


def members_of(group: int) -> list[int]:
    """The processes of a group, zombies left out."""
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
    """Both of them, as soon as there are no more and no fewer: whoever announced the start ends first."""
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
def test_one_line_says_that_it_serves_and_a_signal_ends_every_process_soon(bridge: LiveBridge, how: int) -> None:
    bridge.start(READY_SECONDS)  # the first line is asserted there
    process = bridge.process
    assert process is not None
    assert process.stdout is not None
    assert Wire(bridge.url, port=bridge.port).ask("GET", "/readyz").status == 200
    assert len(members_of(process.pid)) >= 3
    process.send_signal(how)
    # Docker kills after ten seconds; a worker that was just starting must not have missed the signal.
    assert process.wait(5) == 0
    assert process.stdout.read() == ""
    process.stdout.close()
    assert gone_within(5, process.pid)


def test_a_whole_sign_in_leaves_json_lines_and_no_secret_in_the_log_row73(bridge: LiveBridge) -> None:
    with bridge:
        browser, hub = people(bridge)
        code = hub.takes_code(browser.signs_in(hub.sends()))
        token = hub.redeems(code).json["access_token"]
        assert hub.asks_who(token).json["sub"] == "alice"
        assert hub.redeems(code).status == 400
        assert hub.redeems("x", client_secret="a wrong one").status == 401
        browser.opens("/cas/callback?ticket=ST-forged&state=x")
    log = bridge.log
    recorded = [json.loads(line) for line in log.splitlines()]
    assert {"signed_in", "token_issued", "token_refused", "refused"} <= {event["event"] for event in recorded}
    hidden = (
        hub.wire.secrets | hub.wire.states | {"a wrong one", "ST-forged", bridge.environment["PASSERELLE_SECRET_KEY"]}
    )
    assert not [secret for secret in hidden if secret in log]


def test_every_fault_is_listed_at_once_and_no_secret_with_them(bridge: LiveBridge, tmp_path: Path) -> None:
    said = refused(
        bridge,
        issuer=None,
        cas_url="sso.example.org",
        casurl="https://sso.example.org/cas",
        secret_key="tooshort-s3cret",
        bind="8000",
        workers="many",
        config=str(tmp_path / "missing.toml"),
    )
    for fault in (
        "PASSERELLE_ISSUER: is required and absent",
        "PASSERELLE_CAS_URL: must be a URL like",
        "PASSERELLE_CASURL: there is no such setting; did you mean PASSERELLE_CAS_URL?",
        "PASSERELLE_SECRET_KEY: ",
        "PASSERELLE_BIND: must be host:port",
        "PASSERELLE_WORKERS: ",
        f"PASSERELLE_CONFIG: cannot read {tmp_path}/missing.toml: No such file or directory",
    ):
        assert f"\n  - {fault}" in said
    assert "tooshort-s3cret" not in said


def test_a_taken_port_is_named(bridge: LiveBridge) -> None:
    with socket.create_server(("127.0.0.1", bridge.port)):
        said = refused(bridge)
    assert f"PASSERELLE_BIND: cannot listen on 127.0.0.1:{bridge.port}: another program listens there" in said


def test_a_second_bridge_does_not_share_the_port(bridge: LiveBridge) -> None:
    with bridge:
        assert "another program listens there" in refused(bridge)


@pytest.mark.parametrize("bind", ["192.0.2.1:8000", "no-such-host.invalid:8000", f"{'a' * 70}:8000", "a..b:8000"])
def test_an_address_that_is_not_ours_is_named(bridge: LiveBridge, bind: str) -> None:
    assert "PASSERELLE_BIND: " in refused(bridge, bind=bind)


def test_a_host_name_can_be_listened_on(bridge: LiveBridge) -> None:
    bridge.environment["PASSERELLE_BIND"] = f"localhost:{bridge.port}"
    with bridge:
        assert Wire(bridge.url, port=bridge.port).ask("GET", "/healthz").status == 200


@pytest.mark.parametrize("fault", ["no such folder", "a folder", "no database", "read-only folder", "read-only file"])
def test_a_database_that_cannot_be_written_stops_the_start(bridge: LiveBridge, tmp_path: Path, fault: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    place = folder / "bridge.sqlite3"
    if fault == "no such folder":
        place = tmp_path / "missing" / "bridge.sqlite3"
    elif fault == "a folder":
        place = folder
    elif fault == "no database":
        place.write_text("a letter to my aunt " * 100)
    elif fault == "read-only folder":
        folder.chmod(0o555)
    else:
        bridge.environment["PASSERELLE_DATABASE_URL"] = f"sqlite:///{place}"
        with bridge:
            pass
        place.chmod(0o444)
        folder.chmod(0o555)
    assert f"PASSERELLE_DATABASE_URL: cannot use sqlite:///{place}: " in refused(
        bridge, database_url=f"sqlite:///{place}"
    )


def test_the_database_is_for_its_owner_alone_row65(bridge: LiveBridge, tmp_path: Path) -> None:
    with bridge:
        files = list(tmp_path.glob("bridge.sqlite3*"))
        assert files
        assert not [file for file in files if stat.S_IMODE(file.stat().st_mode) & 0o077]


def test_another_secret_key_is_noticed_at_the_start(bridge: LiveBridge) -> None:
    with bridge:
        pass
    said = refused(bridge, secret_key="another key, long enough for the check")
    assert "PASSERELLE_SECRET_KEY: the signing keys in the database were encrypted with another one" in said
    assert "another key, long enough" not in said
    with bridge:
        assert Wire(bridge.url, port=bridge.port).ask("GET", "/readyz").status == 200


def test_a_ca_file_that_cannot_be_read_is_named(bridge: LiveBridge, tmp_path: Path) -> None:
    said = refused(bridge, cas_url="https://sso.example.org/cas", cas_ca_file=str(tmp_path / "missing.pem"))
    assert "missing.pem" in said


def test_killed_in_mid_login_it_goes_on_after_a_restart(bridge: LiveBridge) -> None:
    """The parent alone is killed, as the kernel's out-of-memory killer does it."""
    bridge.start(READY_SECONDS)
    browser, hub = people(bridge)
    callback = browser.visits_cas(browser.opens(hub.sends()))
    killed = bridge.process
    assert killed is not None
    assert killed.stdout is not None
    killed.kill()
    killed.wait(5)
    killed.stdout.close()
    assert gone_within(5, killed.pid), "workers without a parent would hold the port"
    with bridge:
        code = hub.takes_code(browser.opens(callback))
        assert hub.asks_who(hub.redeems(code).json["access_token"]).json["sub"] == "alice"


def test_a_killed_worker_is_replaced(bridge: LiveBridge) -> None:
    with bridge:
        process, wire = bridge.process, Wire(bridge.url, port=bridge.port)
        assert process is not None
        os.kill(killed := workers_of(process.pid)[0], signal.SIGKILL)
        time.sleep(0.2)
        assert killed not in workers_of(process.pid)
        assert wire.ask("GET", "/readyz").status == 200


def test_two_bridges_started_at_once_on_one_database_make_one_key_row65(cas: ScriptedCas, tmp_path: Path) -> None:
    bridges = [LiveBridge(tmp_path, cas_url=cas.url, clients=CLIENTS) for _ in range(2)]
    try:
        starts = [
            subprocess.Popen(
                [PASSERELLE, "serve"], env=bridge.environment, stdout=subprocess.PIPE, start_new_session=True
            )
            for bridge in bridges
        ]
        assert all(b"serves" in process.stdout.readline() for process in starts if process.stdout)
        keys = [Wire(bridge.url, port=bridge.port).ask("GET", "/.well-known/jwks.json").json for bridge in bridges]
    finally:
        for process in starts:
            process.terminate()
            process.communicate(timeout=15)
    assert len(keys[0]["keys"]) == 1
    assert keys[0] == keys[1]
