"""Tests of `/healthz` and `/readyz`."""

from __future__ import annotations

import pytest

from tests.http.conftest import MakeBridge
from tests.http.world import Running, events


def test_healthz_and_readyz_respond(bridge: Running) -> None:
    assert bridge.wire.send("GET", "/healthz").json == {"status": "alive"}
    assert bridge.wire.send("GET", "/readyz").json == {"status": "ready"}


def test_without_database_alive_but_not_ready(make_bridge: MakeBridge, logged: list[str]) -> None:
    bridge = make_bridge()
    bridge.store.close()
    for path in bridge.database.parent.glob(f"{bridge.database.name}*"):
        path.unlink()
    assert bridge.wire.send("GET", "/healthz").status == 200
    answer = bridge.wire.send("GET", "/readyz")
    assert (answer.status, answer.json["status"]) == (503, "not ready")
    assert "database" in answer.json["reason"]
    (event,) = events(logged, "not_ready")
    assert event["level"] == "error"


def test_ready_without_cas(make_bridge: MakeBridge) -> None:
    assert make_bridge(cas_url="http://127.0.0.1:9/cas").wire.send("GET", "/readyz").status == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/sign-in/healthz", "/sign-in/readyz"])
def test_probes_work_outside_the_issuer_path(make_bridge: MakeBridge, path: str) -> None:
    assert make_bridge(issuer="https://www.example.org/sign-in").wire.send("GET", path).status == 200


def test_probes_are_not_cached(bridge: Running) -> None:
    assert bridge.wire.send("GET", "/healthz").headers["Cache-Control"] == "no-store"
