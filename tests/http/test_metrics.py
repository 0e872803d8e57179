"""Metrics: access, content, and the sum over all workers."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge.metrics import Metrics
from tests.http.conftest import MakeBridge
from tests.http.world import HUB_SECRET, Running
from tests.support.bridge.actors import FORM, App, Browser, Wire
from tests.support.bridge.live_bridge import LiveBridge
from tests.support.cas import cas_scripts
from tests.support.cas.scripted_cas import ScriptedCas

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
TOKEN = "the-token-of-prometheus"
Numbers = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Numbers:
    """Parse every sample with Prometheus's own parser."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(numbers: Numbers, name: str, **labels: str) -> float:
    return numbers.get((f"passerelle_{name}", frozenset(labels.items())), 0)


@pytest.fixture
def bridge(make_bridge: MakeBridge) -> Running:
    return make_bridge(metrics_token=TOKEN)


@pytest.fixture
def numbers(bridge: Running) -> Callable[[], Numbers]:
    """Return a function that reads the metrics."""

    def ask() -> Numbers:
        answer = bridge.wire.send("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status == 200
        return read(answer.text)

    return ask


def test_login_is_counted_from_ticket_to_token(numbers: Callable[[], Numbers], browser: Browser, hub: App) -> None:
    hub.redeem(hub.extract_code(browser.sign_in(hub.authorization_url())))
    found = numbers()
    assert value(found, "sign_ins_total", outcome="signed_in") == 1
    assert value(found, "cas_validation_seconds_count") == 1
    assert value(found, "token_responses_total", grant_type="authorization_code", outcome="issued") == 1
    assert value(found, "request_seconds_count", endpoint="callback", status="3xx") == 1
    assert value(found, "sessions") == 1


def test_rejections_are_counted_by_reason(
    numbers: Callable[[], Numbers], bridge: Running, browser: Browser, hub: App
) -> None:
    code = hub.extract_code(browser.sign_in(hub.authorization_url()))
    hub.redeem(code)
    hub.redeem(code)
    hub.redeem("x", client_secret="wrong")
    hub.request_token([("client_id", "hub"), ("client_secret", HUB_SECRET), ("grant_type", "made up")])
    bridge.wire.send("GET", "/cas/callback?state=x&ticket=ST-1")
    browser.get(hub.authorization_url(prompt="none", max_age="0", scope="nothing"))
    found = numbers()
    for reason in ("token_reused", "invalid_client", "unsupported_grant_type", "login_not_found", "invalid_scope"):
        assert value(found, "refusals_total", reason=reason) == 1, reason
    outcomes = {labels: count for (name, labels), count in found.items() if name == "passerelle_token_responses_total"}
    assert outcomes == {
        frozenset({("grant_type", "authorization_code"), ("outcome", "issued")}): 1,
        frozenset({("grant_type", "authorization_code"), ("outcome", "invalid_grant")}): 1,
        frozenset({("grant_type", "authorization_code"), ("outcome", "invalid_client")}): 1,
        frozenset({("grant_type", "other"), ("outcome", "unsupported_grant_type")}): 1,
    }


def test_cas_failures_are_counted_with_duration(
    numbers: Callable[[], Numbers], browser: Browser, hub: App, cas: ScriptedCas
) -> None:
    cas.script = cas_scripts.redirect("https://elsewhere.example/")
    assert browser.sign_in(hub.authorization_url()).status == 502
    found = numbers()
    assert value(found, "sign_ins_total", outcome="upstream_misconfigured") == 1
    assert value(found, "cas_validation_seconds_count") == 1


def test_labels_do_not_come_from_requests(numbers: Callable[[], Numbers], bridge: Running, hub: App) -> None:
    for name in ("one", "two"):
        bridge.wire.send("GET", f"/no/such/{name}")
        bridge.wire.send("BREW", f"/token?{name}")
        hub.request_token([("grant_type", name), ("client_id", name), ("code", name)])
        bridge.wire.send("GET", f"/authorize?client_id={name}")
    assert not [labels for _, labels in numbers() if {"one", "two"} & {text for _, text in labels}]


def test_pending_logout_tokens_are_counted(numbers: Callable[[], Numbers], bridge: Running) -> None:
    bridge.store.deliveries.queue([("hub", "sid", "alice", "https://hub.example.org/out")] * 2, now=0)
    first, _ = bridge.store.deliveries.list_waiting()
    bridge.store.deliveries.mark_failed(first.delivery_id, error="no", next_attempt_at=None)
    found = numbers()
    assert value(found, "logout_deliveries_waiting") == 2
    assert value(found, "logout_deliveries_given_up") == 1


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer é"}])
def test_configured_metrics_token_is_required(bridge: Running, header: Mapping[str, str]) -> None:
    for address in ("127.0.0.1", "192.0.2.1"):
        client = bridge.app.test_client()
        told = {"Host": "127.0.0.1", **header}
        assert client.get("/metrics", headers=told, environ_overrides={"REMOTE_ADDR": address}).status_code == 404


def test_metrics_are_off_without_token_row39(make_bridge: MakeBridge) -> None:
    """A bare `proxy_pass` passes requests of the internet like direct requests from this machine."""
    client = make_bridge().app.test_client()
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}):
        assert client.get("/metrics", headers={"Host": "127.0.0.1:8000", **headers}).status_code == 404


def test_denied_metrics_look_like_unknown_page(bridge: Running) -> None:
    refused, missing_images = (bridge.wire.send("GET", path) for path in ("/metrics", "/nothing-here"))
    assert (refused.status, refused.json) == (missing_images.status, missing_images.json)


def test_prometheus_reads_container_port_with_path_issuer(make_bridge: MakeBridge) -> None:
    bridge = make_bridge(issuer="https://www.example.org/sign-in", metrics_token=TOKEN)
    for path in ("/metrics", "/sign-in/metrics"):
        assert bridge.wire.send("GET", path, headers={"Authorization": f"Bearer {TOKEN}"}).status == 200


def _count(directory: str, refusals: int, done: Event | None) -> None:
    metrics = Metrics(directory)
    for _ in range(refusals):
        metrics.refusals.labels("invalid_client").inc()
    if done is not None:
        done.set()
        time.sleep(60)


def test_killed_worker_keeps_counts_and_frees_slot(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    counted = spawn.Event()
    killed = spawn.Process(target=_count, args=(str(tmp_path), 3, counted))
    killed.start()
    assert counted.wait(30)
    _in_a_process(tmp_path, 4)  # concurrent: another slot
    assert len(list(tmp_path.glob("counter_*.db"))) == 2
    os.kill(killed.pid or 0, signal.SIGKILL)
    killed.join(10)
    _in_a_process(tmp_path, 5)  # afterwards: the same slot
    assert len(list(tmp_path.glob("counter_*.db"))) == 2
    spawned = spawn.Process(target=_assert_sum, args=(str(tmp_path), 12))
    spawned.start()
    spawned.join(30)
    assert spawned.exitcode == 0


def _in_a_process(directory: Path, refusals: int) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_count, args=(str(directory), refusals, None))
    process.start()
    process.join(30)
    assert process.exitcode == 0


def _assert_sum(directory: str, expected: int) -> None:
    numbers = read(Metrics(directory).render({}).decode())
    assert value(numbers, "refusals_total", reason="invalid_client") == expected


def test_every_worker_reports_the_sum_and_cleans_up(
    cas: ScriptedCas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    client = {"client_id": "hub", "client_secret": HUB_SECRET, "redirect_uris": ["https://hub.example.org/cb"]}
    settings = {"PASSERELLE_WORKERS": "2", "PASSERELLE_METRICS_TOKEN": TOKEN}
    with LiveBridge(tmp_path, cas_url=cas.url, clients=[client], settings=settings) as bridge:
        wire = Wire(bridge.url, port=bridge.port)
        for _ in range(30):
            assert wire.send("POST", "/token", headers=FORM, body="client_id=hub&client_secret=no").status in (401, 429)
        (shared,) = tmp_path.glob("passerelle-metrics-*")
        for _ in range(8):  # one connection each, so that both workers respond
            answer = wire.send("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
            found = read(answer.text)
            assert value(found, "token_responses_total", grant_type="other", outcome="invalid_client") == sum(
                count for (name, labels), count in found.items() if _is_token_401(name, labels)
            )
            assert _answered_at_token(found) == 30
        assert len(list(shared.glob("worker-*.lock"))) == 2
    assert not list(tmp_path.glob("passerelle-metrics-*"))
    assert not re.search("metrics_not_shared|unexpected_error", bridge.log)


def _answered_at_token(numbers: Numbers) -> float:
    return sum(
        count
        for (name, labels), count in numbers.items()
        if name == "passerelle_request_seconds_count" and ("endpoint", "token") in labels
    )


def _is_token_401(name: str, labels: frozenset[tuple[str, str]]) -> bool:
    return name == "passerelle_refusals_total" and ("reason", "invalid_client") in labels


def test_start_removes_files_of_killed_bridge(
    cas: ScriptedCas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    foreign_folder = tmp_path / "passerelle-metrics-foreign"
    foreign_folder.mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with LiveBridge(tmp_path / "a", cas_url=cas.url, clients=[]) as killed:
        killed.stop(signal.SIGKILL)
    (left,) = set(tmp_path.glob("passerelle-metrics-*")) - {foreign_folder}
    with LiveBridge(tmp_path / "a", cas_url=cas.url, clients=[]):
        (first,) = set(tmp_path.glob("passerelle-metrics-*")) - {foreign_folder}
        assert first != left
        with LiveBridge(tmp_path / "b", cas_url=cas.url, clients=[]):
            assert first.exists(), "it belongs to a bridge that runs"
    assert list(tmp_path.glob("passerelle-metrics-*")) == [foreign_folder]


def test_metrics_page_documents_every_metric(bridge: Running, numbers: Callable[[], Numbers], hub: App) -> None:
    Browser(bridge.wire).sign_in(hub.authorization_url())
    hub.redeem("x")
    bridge.wire.send("POST", "/cas/logout", body="")
    page = set(re.findall(r"^\| `(passerelle_\w+)` ", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    told = {re.sub("_(bucket|count|sum)$", "", name) for name, _ in numbers()}
    assert told == page
