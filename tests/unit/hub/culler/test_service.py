"""The service that stops labs, against an HTTP server that answers as the hub's API does."""

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
from hub.culler.service import Due, Hub, Reports, look

DUE = Due("bob", "", Stop(datetime(2026, 11, 23, tzinfo=UTC), "idle"))


class Api(http.server.BaseHTTPRequestHandler):
    """Two pages of users, and stops that are written down."""

    asked: ClassVar[list[tuple[str, str, str]]]
    url: ClassVar[str]
    answer = 204
    looking = 200
    servers: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        second = "offset=1" in self.path
        following = None if second else {"url": f"http://127.0.0.1:{self.server.server_port}/api/users?offset=1"}
        items = [{"name": "carol" if second else "bob", "servers": self.servers}]
        self._reply(self.looking, {"items": items, "_pagination": {"next": following}})

    def do_DELETE(self) -> None:
        self._reply(self.answer, None)

    def _reply(self, status: int, body: Any) -> None:
        self.asked.append((self.command, self.path, self.headers["Authorization"]))
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
        asked: ClassVar[list[tuple[str, str, str]]] = []

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Fresh) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        Fresh.url = f"http://127.0.0.1:{server.server_port}/api"
        yield Fresh
        server.shutdown()


def test_every_page_of_users_is_read(api: Any) -> None:
    assert [user["name"] for user in Hub(api.url, "t0ken").running()] == ["bob", "carol"]
    assert {authorization for _, _, authorization in api.asked} == {"token t0ken"}


def test_a_stop_is_asked_of_the_hub_and_told_in_the_log(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Hub(api.url, "t0ken").stop(DUE)
    assert [(method, path) for method, path, _ in api.asked] == [("DELETE", "/api/users/bob/server")]
    assert "stopped the lab bob/: nobody used it" in caplog.text
    assert "t0ken" not in caplog.text


@pytest.mark.parametrize("answer", [400, 403, 500, 503])
def test_a_stop_that_fails_is_told_and_ends_nothing_else(
    api: Any, caplog: pytest.LogCaptureFixture, answer: int
) -> None:
    api.answer = answer
    Hub(api.url, "t0ken").stop(DUE)
    assert "bob/ could not be stopped, the next round tries again" in caplog.text


def test_a_hub_that_is_away_is_told_and_ends_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    Hub("http://127.0.0.1:1/api", "t0ken").stop(DUE)
    assert "the next round tries again" in caplog.text


@pytest.fixture
def lab_from_before_the_outage(api: Any) -> Any:
    """Bob's, which computes: its last report is from before the hub was away for two hours."""
    now = datetime.now(UTC)
    times = {"started": now - timedelta(hours=5), "last_activity": now - timedelta(hours=2)}
    api.servers = {"": {"ready": True, "pending": None, **{name: time.isoformat() for name, time in times.items()}}}
    return api


def stopped(api: Any, reports: Reports, limits: Limits) -> list[str]:
    with ThreadPoolExecutor(1) as pool:
        look(Hub(api.url, "t0ken"), Lifetimes(limits, HubToml()), reports, pool)
    return [path for method, path, _ in api.asked if method == "DELETE"]


def test_after_an_outage_of_the_hub_labs_have_the_time_to_report_before_one_counts_as_idle(
    lab_from_before_the_outage: Any,
) -> None:
    reports = Reports(report_every=300, look_every=60)
    assert stopped(lab_from_before_the_outage, reports, Limits(idle_timeout=3600)) == []


def test_a_lab_that_reports_nothing_even_then_is_idle(lab_from_before_the_outage: Any) -> None:
    reports = Reports(report_every=300, look_every=60)
    began = datetime.now(UTC) - timedelta(seconds=660)
    for seconds in range(0, 660, 60):
        reports.the_hub_answers(began + timedelta(seconds=seconds))
    assert stopped(lab_from_before_the_outage, reports, Limits(idle_timeout=3600))


def test_the_age_of_a_lab_is_known_without_its_reports(lab_from_before_the_outage: Any) -> None:
    reports = Reports(report_every=300, look_every=60)
    assert stopped(lab_from_before_the_outage, reports, Limits(max_age=3600))


def test_a_hub_that_fails_in_between_begins_the_wait_anew(lab_from_before_the_outage: Any) -> None:
    reports = Reports(report_every=300, look_every=60)
    reports.the_hub_answers(datetime.now(UTC) - timedelta(seconds=640))
    lab_from_before_the_outage.looking = 503
    assert stopped(lab_from_before_the_outage, reports, Limits(idle_timeout=3600)) == []
    lab_from_before_the_outage.looking = 200
    assert stopped(lab_from_before_the_outage, reports, Limits(idle_timeout=3600)) == []


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_machine_that_slept_or_whose_clock_was_set_begins_the_wait_anew(seconds: int) -> None:
    reports, began = Reports(report_every=300, look_every=60), datetime(2026, 11, 23, tzinfo=UTC)
    for passed in range(0, 660, 60):
        heard = reports.the_hub_answers(began + timedelta(seconds=passed))
    assert heard
    assert not reports.the_hub_answers(began + timedelta(seconds=600 + seconds))
