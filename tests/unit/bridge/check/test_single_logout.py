"""Findings about single logout."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from bridge.cas.logout_request import (
    message_from_body,
    message_from_front_channel,
    message_from_values,
    parse_logout_request,
)
from bridge.check.probe import Failure, Response
from bridge.check.single_logout import (
    evaluate_last_logout,
    evaluate_logout_request,
    evaluate_query,
    logout_form,
    logout_query,
)
from tests.support.bridge.check_values import DAY, ISSUER, NO_RESPONSE, NOW, response


def test_bridge_parses_our_logout_requests() -> None:
    form = logout_form("ST-passerelle-check-1", NOW).encode()
    assert parse_logout_request(message_from_body(form)) == "ST-passerelle-check-1"
    carried = parse_qs(logout_query("ST-passerelle-check-1", NOW))["logoutRequest"]
    assert parse_logout_request(message_from_front_channel(message_from_values(carried))) == "ST-passerelle-check-1"


@pytest.mark.parametrize(
    ("received", "level"),
    [
        (response(200, x_request_id="ab"), "ok"),
        (response(400, x_request_id="ab"), "FAULT"),
        (response(400), "note"),
        (response(200, b"<form>"), "note"),
        (response(405, x_request_id="ab"), "note"),
        (NO_RESPONSE, "note"),
    ],
)
def test_query_reaches_bridge(received: Response | Failure, level: str) -> None:
    assert evaluate_query(received, f"{ISSUER}/cas/logout").level == level


@pytest.mark.parametrize(
    ("received", "level", "words"),
    [
        (response(200, x_request_id="ab"), "ok", "reaches the bridge"),
        (response(200, b"<form>"), "FAULT", "another program"),
        (response(302, location="https://portal/login?x=secret"), "FAULT", "redirected to https://portal/login"),
        (response(404), "FAULT", "in front of the bridge"),
        (response(405, x_request_id="ab"), "FAULT", "does not know that path"),
        (response(403), "FAULT", "status 403"),
        (response(429, x_request_id="ab"), "FAULT", "by the bridge"),
        (NO_RESPONSE, "FAULT", "Connection refused"),
    ],
)
def test_logout_request_reaches_bridge(received: Response | Failure, level: str, words: str) -> None:
    found = evaluate_logout_request(received, f"{ISSUER}/cas/logout")
    assert (found.level, words in found.seen) == (level, True), found
    assert "secret" not in found.seen


def test_last_logout_is_reported() -> None:
    url = f"{ISSUER}/cas/logout"
    now = int(NOW)
    assert "2 hours ago" in evaluate_last_logout(now - 7200, began=[now] * 20, url=url, now=NOW).seen
    assert url in evaluate_last_logout(None, began=[now], url=url, now=NOW).do
    assert "not checked" in evaluate_last_logout(None, began=[], url=url, now=NOW).seen


@pytest.mark.parametrize(("days", "sign_ins", "level"), [(8, 20, "note"), (8, 9, "ok"), (6, 20, "ok")])
def test_old_logout_before_many_sign_ins_is_note(days: int, sign_ins: int, level: str) -> None:
    last = int(NOW - days * DAY)
    began = [last + 60] * sign_ins + [last - 60] * 20
    assert evaluate_last_logout(last, began=began, url=f"{ISSUER}/cas/logout", now=NOW).level == level
