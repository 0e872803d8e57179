"""Findings about connections to CAS and to our public address."""

from __future__ import annotations

from dataclasses import replace
from email.utils import formatdate

import pytest

from bridge.check.connection_findings import (
    ServerContext,
    evaluate_clock,
    evaluate_failure,
    evaluate_response_time,
    evaluate_without_tls,
)
from bridge.check.probe import Failure, Target
from tests.support.bridge.check_values import NOW, TRUST, response

HOST = "auth.example.org"

SERVER = ServerContext(id="public", name="This site", setting="PASSERELLE_ISSUER", remedy="Look.")


@pytest.mark.parametrize(
    ("connecting", "answering", "level"),
    [
        (0.1, 0.2, None),
        (1.4, 2.4, None),
        (1.6, 0, "warning"),
        (0, 2.6, "warning"),
        (3.1, 0, "FAULT"),
        (0, 5.1, "FAULT"),
    ],
)
def test_response_beyond_sign_in_limit_is_fault(connecting: float, answering: float, level: str | None) -> None:
    found = evaluate_response_time(replace(response(), connect_seconds=connecting, answer_seconds=answering))
    assert (found and found.level) == level


def test_dropped_packets_differ_from_hanging_server() -> None:
    server = ServerContext(id="cas", name="CAS", setting="S", remedy="Check.")
    place = Target(url="https://sso.example.org/cas")
    silent, unconnected = (
        evaluate_failure(server, place, Failure(url="", kind=kind, detail="within 8 s"), TRUST)
        for kind in ("silent", "unconnected")
    )
    assert "hangs" in silent.means
    assert "firewall" in unconnected.means
    assert unconnected.to_cas is not None


@pytest.mark.parametrize(("apart", "level"), [(60, "ok"), (61, "FAULT"), (-600, "FAULT"), (0, "ok")])
def test_clock_offset_above_one_minute_is_fault(apart: float, level: str) -> None:
    found = evaluate_clock(response(date=formatdate(NOW + apart, usegmt=True)))
    assert found is not None
    assert found.level == level
    assert ("ahead of" in found.seen) is (apart == 61)


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026", "0"])
def test_invalid_date_header_has_no_finding(date: str) -> None:
    assert evaluate_clock(response(date=date)) is None
    assert evaluate_clock(response()) is None


def test_plain_http_to_external_cas_is_warning() -> None:
    outside, inside = Target(url="http://sso.example.org/cas"), Target(url="http://localhost:8080/cas")
    assert evaluate_without_tls(outside, is_internal=False).level == "warning"
    assert evaluate_without_tls(outside, is_internal=True).level == "ok"
    assert evaluate_without_tls(inside, is_internal=False).level == "ok"


@pytest.mark.parametrize(
    ("addresses", "formatted", "is_loopback"),
    [
        (("127.0.0.1",), True, True),
        (("::1", "127.0.0.1"), True, True),
        (("192.0.2.7",), True, False),
        ((), False, False),
    ],
)
def test_failed_ip_address_is_shown(addresses: tuple[str, ...], formatted: bool, is_loopback: bool) -> None:
    trouble = Failure(url=f"https://{HOST}", kind="refused", detail="Connection refused", addresses=addresses)
    found = evaluate_failure(SERVER, Target(url=f"https://{HOST}"), trouble, TRUST)

    assert (f"{HOST}:443 ({', '.join(addresses)})" in found.seen) is formatted
    assert ("the container itself" in found.means) is is_loopback
