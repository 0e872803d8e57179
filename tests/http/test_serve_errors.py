"""Tests of start-up errors of `passerelle serve`: exit status 1, no standard output, one sentence for each fault."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from bridge.app import create_app
from bridge.settings import load
from bridge.store import Store
from bridge.web.context import EXTENSION
from tests.support.bridge.actors import Wire
from tests.support.bridge.command_forks import Call, Command
from tests.support.bridge.live_bridge import LiveBridge

READY_SECONDS = 20


def refused(bridge: LiveBridge, **settings: str | None) -> str:
    """Return the error output, and assert its form."""
    changed = bridge.environment | {f"PASSERELLE_{name.upper()}": value for name, value in settings.items()}
    environment = {name: value for name, value in changed.items() if value is not None}
    call = Call(words=["serve"], folder=bridge.log_file.parent, environment=environment)
    ended = Command(call, bridge.log_file.parent / "output").wait(within=READY_SECONDS)
    assert (ended.status, ended.stdout) == (1, ""), ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_all_configuration_faults_are_listed(live_bridge: LiveBridge, tmp_path: Path) -> None:
    said = refused(
        live_bridge,
        issuer=None,
        cas_url="sso.example.org",
        casurl="https://sso.example.org/cas",
        secret_key="tooshort-s3cret",
        bind="8000",
        workers="many",
        config=str(tmp_path / "missing.toml"),
    )
    for fault in (
        "PASSERELLE_ISSUER: is required",
        "PASSERELLE_CAS_URL: must be a URL like",
        "PASSERELLE_CASURL: unknown setting; did you mean PASSERELLE_CAS_URL?",
        "PASSERELLE_SECRET_KEY: ",
        "PASSERELLE_BIND: must be host:port",
        "PASSERELLE_WORKERS: ",
        f"PASSERELLE_CONFIG: cannot read {tmp_path}/missing.toml: No such file or directory",
    ):
        assert f"\n  - {fault}" in said
    assert "tooshort-s3cret" not in said


def test_port_in_use_is_reported(live_bridge: LiveBridge) -> None:
    with socket.create_server(("127.0.0.1", live_bridge.port)):
        said = refused(live_bridge)
    assert (
        f"PASSERELLE_BIND: cannot listen on 127.0.0.1:{live_bridge.port}: the port is in use by another program" in said
    )


def test_second_bridge_does_not_share_the_port(live_bridge: LiveBridge) -> None:
    with live_bridge:
        assert "the port is in use by another program" in refused(live_bridge)


@pytest.mark.parametrize("bind", ["192.0.2.1:8000", "no-such-host.invalid:8000", f"{'a' * 70}:8000", "a..b:8000"])
def test_foreign_bind_address_is_reported(live_bridge: LiveBridge, bind: str) -> None:
    assert "PASSERELLE_BIND: " in refused(live_bridge, bind=bind)


@pytest.mark.parametrize("fault", ["no such folder", "a folder", "no database", "read-only folder", "read-only file"])
def test_unwritable_database_stops_the_start(live_bridge: LiveBridge, tmp_path: Path, fault: str) -> None:
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
        Store(f"sqlite:///{place}").close()
        place.chmod(0o444)
        folder.chmod(0o555)
    said = refused(live_bridge, database_url=f"sqlite:///{place}")
    folder.chmod(0o755)
    assert f"PASSERELLE_DATABASE_URL: cannot use sqlite:///{place}: " in said


def test_wrong_secret_key_stops_the_start(live_bridge: LiveBridge) -> None:
    create_app(load(live_bridge.environment)).extensions[EXTENSION].provider.store.close()
    said = refused(live_bridge, secret_key="another key, long enough for the check")
    assert "PASSERELLE_SECRET_KEY: the signing keys in the database were encrypted with another one" in said
    assert "another key, long enough" not in said
    with live_bridge:
        assert Wire(live_bridge.url, port=live_bridge.port).send("GET", "/readyz").status == 200


def test_unreadable_ca_file_is_reported(live_bridge: LiveBridge, tmp_path: Path) -> None:
    said = refused(live_bridge, cas_url="https://sso.example.org/cas", cas_ca_file=str(tmp_path / "missing.pem"))
    assert "missing.pem" in said
