"""The culling service, against an HTTP server that imitates the hub's API."""

from __future__ import annotations

import http.server
import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from hub.config.hub_toml import HubToml
from hub.culler.policy import Lifetimes, Limits, Stop
from hub.culler.service import ActivityReports, HubClient, OverdueLab, cull

OVERDUE = OverdueLab("bob", "", Stop(datetime(2026, 11, 23, tzinfo=UTC), "idle"))


class Api(http.server.BaseHTTPRequestHandler):
    """Serves two pages of users and records requests."""

    requests: ClassVar[list[tuple[str, str, str]]]
    url: ClassVar[str]
    stop_status = 204
    list_status = 200
    servers: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        second = "offset=1" in self.path
        following = None if second else {"url": f"http://127.0.0.1:{self.server.server_port}/api/users?offset=1"}
        items = [{"name": "carol" if second else "bob", "servers": self.servers}]
        self._reply(self.list_status, {"items": items, "_pagination": {"next": following}})

    def do_DELETE(self) -> None:
        self._reply(self.stop_status, None)

    def _reply(self, status: int, body: Any) -> None:
        self.requests.append((self.command, self.path, self.headers["Authorization"]))
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[type[Api]]:
    class Fresh(Api):
        requests: ClassVar[list[tuple[str, str, str]]] = []

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Fresh) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        Fresh.url = f"http://127.0.0.1:{server.server_port}/api"
        yield Fresh
        server.shutdown()


def test_all_pages_of_users_are_read(api: Any) -> None:
    assert [user["name"] for user in HubClient(api.url, "t0ken").list_users()] == ["bob", "carol"]
    assert {authorization for _, _, authorization in api.requests} == {"token t0ken"}


def test_stop_is_requested_and_logged(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    HubClient(api.url, "t0ken").stop(OVERDUE)
    assert [(method, path) for method, path, _ in api.requests] == [("DELETE", "/api/users/bob/server")]
    assert "stopped lab bob/: idle" in caplog.text
    assert "t0ken" not in caplog.text


@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_failed_stop_is_logged(api: Any, caplog: pytest.LogCaptureFixture, status: int) -> None:
    api.stop_status = status
    HubClient(api.url, "t0ken").stop(OVERDUE)
    assert "cannot stop bob/, will retry" in caplog.text


def test_unreachable_hub_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    HubClient("http://127.0.0.1:1/api", "t0ken").stop(OVERDUE)
    assert "will retry" in caplog.text


@pytest.fixture
def lab_with_old_report(api: Any) -> Any:
    """A lab that computes; its last report is from before a two-hour outage of the hub."""
    now = datetime.now(UTC)
    times = {"started": now - timedelta(hours=5), "last_activity": now - timedelta(hours=2)}
    api.servers = {"": {"ready": True, "pending": None, **{name: time.isoformat() for name, time in times.items()}}}
    return api


def stopped(api: Any, reports: ActivityReports, limits: Limits) -> list[str]:
    with ThreadPoolExecutor(1) as pool:
        cull(HubClient(api.url, "t0ken"), Lifetimes(limits, HubToml()), reports, pool)
    return [path for method, path, _ in api.requests if method == "DELETE"]


def test_labs_may_report_after_hub_outage_before_culling(
    lab_with_old_report: Any,
) -> None:
    reports = ActivityReports(report_interval=300, poll_interval=60)
    assert stopped(lab_with_old_report, reports, Limits(idle_timeout=3600)) == []


def test_lab_without_report_after_outage_is_idle(lab_with_old_report: Any) -> None:
    reports = ActivityReports(report_interval=300, poll_interval=60)
    began = datetime.now(UTC) - timedelta(seconds=660)
    for seconds in range(0, 660, 60):
        reports.record_response(began + timedelta(seconds=seconds))
    assert stopped(lab_with_old_report, reports, Limits(idle_timeout=3600))


def test_maximum_age_applies_without_reports(lab_with_old_report: Any) -> None:
    reports = ActivityReports(report_interval=300, poll_interval=60)
    assert stopped(lab_with_old_report, reports, Limits(max_age=3600))


def test_hub_failure_restarts_reporting_period(lab_with_old_report: Any) -> None:
    reports = ActivityReports(report_interval=300, poll_interval=60)
    reports.record_response(datetime.now(UTC) - timedelta(seconds=640))
    lab_with_old_report.list_status = 503
    assert stopped(lab_with_old_report, reports, Limits(idle_timeout=3600)) == []
    lab_with_old_report.list_status = 200
    assert stopped(lab_with_old_report, reports, Limits(idle_timeout=3600)) == []


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_clock_jump_restarts_reporting_period(seconds: int) -> None:
    reports, began = ActivityReports(report_interval=300, poll_interval=60), datetime(2026, 11, 23, tzinfo=UTC)
    for passed in range(0, 660, 60):
        complete = reports.record_response(began + timedelta(seconds=passed))
    assert complete
    assert not reports.record_response(began + timedelta(seconds=600 + seconds))
