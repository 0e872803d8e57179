"""Findings about applications that receive sign-outs."""

from __future__ import annotations

import threading
import time

import pytest

from bridge.check.applications import (
    DELIVERY_SECONDS,
    MAX_CONNECTIONS,
    check_applications,
    evaluate_application,
)
from bridge.check.probe import Failure, FailureKind, ProbeClient, Target
from bridge.oauth.backchannel import ATTEMPT_SECONDS
from bridge.settings import ClientSettings

NOW = 1_700_000_000.0
TARGET = Target(url="https://wiki.example.org")


def client(client_id: str, address: str | None) -> ClientSettings:
    return ClientSettings.model_validate(
        {"client_id": client_id, "redirect_uris": ["https://a.example.org/cb"], "backchannel_logout_uri": address}
    )


class FakeClient(ProbeClient):
    """Connects to every server after a delay."""

    def __init__(self, *, seconds: float = 60.0, delay: float = 0.0) -> None:
        super().__init__(seconds=seconds)
        self.delay = delay
        self.reached: list[str] = []
        self.busy = self.busiest = 0
        self._lock = threading.Lock()

    def connect(self, target: Target, *, seconds: float = DELIVERY_SECONDS) -> Failure | None:
        with self._lock:
            self.reached.append(target.url)
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
        time.sleep(self.delay)
        with self._lock:
            self.busy -= 1
        return None


def test_time_limit_is_that_of_a_delivery() -> None:
    assert DELIVERY_SECONDS == ATTEMPT_SECONDS


@pytest.mark.parametrize("kind", ["name", "refused", "unconnected", "silent", "tls", "http", "network"])
def test_each_connection_failure_is_warning_with_remedy(kind: FailureKind) -> None:
    failure = Failure(url=TARGET.url, kind=kind, detail="a reason", addresses=())
    found = evaluate_application("wiki", TARGET, failure, is_in_settings=False, now=NOW)
    assert (found.level, found.to_cas) == ("warning", None)
    assert found.seen.startswith("wiki cannot receive sign-outs: ")
    assert "a reason" in found.seen
    assert "stay signed in there" in found.means
    assert "passerelle clients edit wiki --backchannel-logout-uri URI" in found.do
    assert "CAS" not in f"{found.seen} {found.means} {found.do}"


def test_loopback_address_is_explained() -> None:
    target = Target(url="http://localhost:8000")
    failure = Failure(url=target.url, kind="refused", detail="Connection refused", addresses=("127.0.0.1",))
    found = evaluate_application("wiki", target, failure, is_in_settings=True, now=NOW)
    assert "the container itself" in found.means


def test_client_name_has_no_control_characters() -> None:
    failure = Failure(url=TARGET.url, kind="name", detail="\x1b[2J", addresses=())
    found = evaluate_application("\x1b[31m", TARGET, failure, is_in_settings=False, now=NOW)
    assert "\x1b" not in f"{found.seen} {found.means} {found.do}"


def test_each_server_is_connected_once_with_limit() -> None:
    addresses = [f"https://app-{number}.example.org/out" for number in range(3 * MAX_CONNECTIONS)]
    same = [client(f"same-{way}", f"HTTPS://App-0.example.org/{way}?x=1") for way in ("a", "b")]
    clients = [client(f"app-{number}", address) for number, address in enumerate(addresses)]
    fake = FakeClient(delay=0.02)
    (found,) = check_applications([*clients, *same, client("without-uri", None)], (), fake, NOW)
    assert sorted(fake.reached) == sorted(address.removesuffix("/out") for address in addresses)
    assert 1 < fake.busiest <= MAX_CONNECTIONS
    assert found.level == "ok"
    assert "without-uri" not in found.seen


@pytest.mark.parametrize("left", [0, DELIVERY_SECONDS - 0.5])
def test_application_without_time_left_is_skipped(left: float) -> None:
    """With less time than a delivery has, a slow application would seem unreachable."""
    fake = FakeClient(seconds=left)
    found = check_applications([client("wiki", TARGET.url), client("blog", TARGET.url)], (), fake, NOW)
    assert fake.reached == []
    assert [one.level for one in found] == ["note", "note"]
    assert "Sign-out delivery to wiki: not checked" in found[0].seen


def test_no_backchannel_uri_has_no_finding() -> None:
    assert check_applications([client("without-uri", None)], (), FakeClient(), NOW) == []
