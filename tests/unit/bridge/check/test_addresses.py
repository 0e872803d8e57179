"""What `passerelle check` makes of our own address, and of what CAS knows of it. Pure."""

from __future__ import annotations

import json
import re
import socket
from contextlib import ExitStack
from dataclasses import replace
from email.utils import formatdate
from urllib.parse import parse_qs

import pytest

from bridge.cas.logout_request import (
    message_from_body,
    message_from_front_channel,
    message_from_values,
    parse_logout_request,
)
from bridge.check.installation import State, judge_clients, judge_database, judge_secret_key
from bridge.check.probe import Answer, Place, Trouble, ask
from bridge.check.public import (
    difference,
    issuer_of,
    judge_hsts,
    judge_identity,
    judge_metrics,
    judge_plain_http,
    judge_program,
)
from bridge.check.reach import Server, judge_clock, judge_speed, judge_trouble, judge_without_tls
from bridge.check.registration import NOT_REGISTERED, judge_service, leads_to, looks_unregistered, service_pattern
from bridge.check.single_logout import judge_last_logout, judge_logout, judge_query, logout_form, logout_query
from tests.support.bridge.check_values import DAY, FORM, ISSUER, NOTHING, NOW, SERVICE, TRUST, answer


@pytest.mark.parametrize("url", [ISSUER, "https://auth.example.org:8443", "https://example.org/a+b(c)"])
def test_the_service_pattern_is_for_our_callback_and_nothing_else(url: str) -> None:
    query, exact = (re.compile(service_pattern(url, state_in_cookie=cookie)) for cookie in (False, True))
    assert query.fullmatch(f"{url}/cas/callback?state=x")
    assert query.fullmatch(f"{url}/cas/callback")
    assert exact.fullmatch(f"{url}/cas/callback")
    assert not exact.fullmatch(f"{url}/cas/callback?state=x")
    for other in (f"{url}/cas/callbackx", f"{url}/cas/callback/x", f"x{url}/cas/callback"):
        assert not query.fullmatch(other)
    returning = re.compile(service_pattern(url, state_in_cookie=False, returns_from_logout=True))
    assert returning.fullmatch(f"{url}/logout/done")
    assert returning.fullmatch(f"{url}/cas/callback?state=x")
    assert not query.fullmatch(f"{url}/logout/done")
    assert not re.fullmatch(service_pattern(ISSUER, state_in_cookie=False), "https://authXexample.org/cas/callback")


@pytest.mark.parametrize(
    ("location", "leads"),
    [
        (SERVICE, True),
        (f"{ISSUER}/cas/callback?state=passerelle%2Dcheck&x=1", True),
        (f"{ISSUER}/cas/callback", True),
        ("https://auth.example.org.evil.example/cas/callback", False),
        ("http://auth.example.org/cas/callback", False),
        ("/cas/callback", False),
        ("https://[", False),
    ],
)
def test_where_a_redirect_leads(location: str, leads: bool) -> None:
    assert leads_to(location, SERVICE) is leads


@pytest.mark.parametrize(
    ("ours", "other", "level", "words"),
    [
        (answer(302, location=SERVICE), answer(403), "ok", "is registered"),
        (answer(302, location=SERVICE), None, "ok", "is registered"),
        (answer(302, location=SERVICE), answer(302, location=NOT_REGISTERED), "note", "any other address"),
        (answer(302, location="https://idp.example.org/?x=secret"), answer(403), "warning", "idp.example.org/"),
        (answer(200), answer(200), "FAULT", "in place of sending browsers back"),
        (answer(403), answer(403), "FAULT", "status 403"),
        (answer(200), answer(403), "note", "sign-in page for our address"),
        (answer(200, FORM), answer(200, FORM), "warning", "though it was told to ask nothing"),
        (answer(200, FORM), answer(200), "note", "refuses an unknown one"),
        (answer(429), answer(429), "note", "asked too much"),
        (answer(404), answer(404), "FAULT", "no sign-in page"),
        (answer(500), answer(200), "FAULT", "in place of sending browsers back"),
        (answer(500), answer(500), "FAULT", "CAS failed"),
        (answer(500), NOTHING, "FAULT", "CAS failed"),
        (NOTHING, None, "note", "left out"),
    ],
)
def test_whether_our_address_is_registered(
    ours: Answer | Trouble, other: Answer | None, level: str, words: str
) -> None:
    found = judge_service("s", ours, other, SERVICE, "^pattern$")
    assert (found.level, words in found.seen) == (level, True), found
    assert "secret" not in found.seen


@pytest.mark.parametrize(
    ("ours", "other", "looks"),
    [
        (answer(403), answer(403), True),
        (answer(200), answer(200), True),
        (answer(500), answer(200), True),
        (answer(500), answer(500), False),
        (answer(200), answer(403), False),
        (answer(200, FORM), answer(200, FORM), False),
        (answer(302, location=SERVICE), None, False),
        (answer(404), None, False),
        (answer(429), None, False),
        (NOTHING, None, False),
    ],
)
def test_nearly_registered_is_looked_for_where_ours_seems_not_to_be(
    ours: Answer | Trouble, other: Answer | None, looks: bool
) -> None:
    assert looks_unregistered(ours, other) is looks


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
def test_an_answer_that_a_sign_in_would_not_wait_for_is_a_fault(
    connecting: float, answering: float, level: str | None
) -> None:
    found = judge_speed("s", replace(answer(), connect_seconds=connecting, answer_seconds=answering))
    assert (found and found.level) == level


def test_dropped_packets_are_told_from_a_server_that_hangs() -> None:
    server = Server(about="cas", name="CAS", setting="S", remedy="Check.")
    place = Place(url="https://sso.example.org/cas")
    silent, unconnected = (
        judge_trouble(server, place, Trouble(url="", kind=kind, detail="within 8 s"), [], TRUST)
        for kind in ("silent", "unconnected")
    )
    assert "hangs" in silent.means
    assert "firewall" in unconnected.means
    assert unconnected.to_cas is not None


def test_a_full_queue_of_connections_is_no_connection_and_silence_is_no_answer() -> None:
    with socket.socket() as listening, ExitStack() as stack:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        place = Place(url=f"http://127.0.0.1:{listening.getsockname()[1]}/")
        silent = ask(place, seconds=0.3)
        for _ in range(3):  # until the kernel drops what comes next
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        unconnected = ask(place, seconds=0.3)
    assert isinstance(silent, Trouble)
    assert isinstance(unconnected, Trouble)
    assert (silent.kind, unconnected.kind) == ("silent", "unconnected")


@pytest.mark.parametrize(("apart", "level"), [(60, "ok"), (61, "FAULT"), (-600, "FAULT"), (0, "ok")])
def test_a_clock_that_is_more_than_a_minute_off_is_a_fault(apart: float, level: str) -> None:
    found = judge_clock("c", answer(date=formatdate(NOW + apart, usegmt=True)))
    assert found is not None
    assert found.level == level
    assert ("ahead of" in found.seen) is (apart == 61)


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026", "0"])
def test_a_date_that_is_none_tells_nothing(date: str) -> None:
    assert judge_clock("c", answer(date=date)) is None
    assert judge_clock("c", answer()) is None


def test_http_to_cas_is_a_warning_unless_it_stays_inside() -> None:
    outside, inside = Place(url="http://sso.example.org/cas"), Place(url="http://localhost:8080/cas")
    assert judge_without_tls("c", outside, is_internal=False).level == "warning"
    assert judge_without_tls("c", outside, is_internal=True).level == "ok"
    assert judge_without_tls("c", inside, is_internal=False).level == "ok"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ("http://auth.example.org", "the scheme differs"),
        ("https://www.example.org", "the host differs"),
        ("https://auth.example.org:8443", "the port differs"),
        ("https://auth.example.org/auth", "the path differs"),
        ("https://auth.example.org/", "a slash at the end differs"),
        ("http://www.example.org/x", "the scheme differs, the host differs, the path differs"),
        ("HTTPS://Auth.example.org", "case or spelling"),
        ("https://[", "no URL"),
    ],
)
def test_what_differs_between_two_issuers_is_named(other: str, words: str) -> None:
    assert words in difference(ISSUER, other)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"issuer": 1}', b"[" * 100_000, b"\xff", b'"issuer"'])
def test_a_document_that_is_none_names_no_issuer(body: bytes) -> None:
    assert issuer_of(answer(body=body)) is None
    assert judge_program("p", ISSUER, answer(body=body)) is not None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            answer(301, location="https://auth.example.org/auth/?x=secret"),
            "redirects to https://auth.example.org/auth/",
        ),
        (answer(502, b"Bad Gateway"), "the bridge behind it (status 502)"),
        (answer(401), "Another program"),
        (answer(200, b"<html>It works"), "a web page"),
    ],
)
def test_what_is_no_bridge_is_named(given: Answer, words: str) -> None:
    found = judge_program("p", ISSUER, given)
    assert found is not None
    assert words in found.seen
    assert "secret" not in found.seen


def test_a_bridge_with_other_keys_uses_another_database() -> None:
    discovery = answer(x_request_id="ab")
    keys = answer(body=json.dumps({"keys": [{"kid": "one"}]}).encode())
    assert judge_identity("b", discovery, keys, ["one", "two"]).level == "ok"
    assert judge_identity("b", discovery, keys, ["two"]).level == "FAULT"
    assert judge_identity("b", discovery, keys, []).level == "note"
    assert judge_identity("b", discovery, NOTHING, ["one"]).level == "note"
    assert judge_identity("b", discovery, answer(body=b"[1]"), ["one"]).level == "FAULT"
    assert judge_identity("b", answer(), keys, ["one"]).level == "warning"


def test_what_else_a_public_address_should_do() -> None:
    assert judge_plain_http("h", ISSUER, answer(301, location=f"{ISSUER}/")).level == "ok"
    assert judge_plain_http("h", ISSUER, answer(200)).level == "warning"
    assert judge_plain_http("h", ISSUER, NOTHING).level == "note"
    assert judge_hsts("s", answer(strict_transport_security="max-age=1")).level == "ok"
    assert judge_hsts("s", answer()).level == "note"
    assert judge_metrics("m", answer(404)).level == "ok"
    assert judge_metrics("m", answer(200, b"# HELP passerelle_sign_ins x")).level == "FAULT"
    assert judge_metrics("m", answer(200, b"<html>an intranet")).level == "ok"


def test_the_logout_request_that_is_sent_is_one_that_the_bridge_reads() -> None:
    form = logout_form("ST-passerelle-check-1", "2026-11-23T00:00:00Z").encode()
    assert parse_logout_request(message_from_body(form)) == "ST-passerelle-check-1"
    carried = parse_qs(logout_query("ST-passerelle-check-1", "2026-11-23T00:00:00Z"))["logoutRequest"]
    assert parse_logout_request(message_from_front_channel(message_from_values(carried))) == "ST-passerelle-check-1"


@pytest.mark.parametrize(
    ("given", "level"),
    [
        (answer(200, x_request_id="ab"), "ok"),
        (answer(400, x_request_id="ab"), "FAULT"),
        (answer(400), "note"),
        (answer(200, b"<form>"), "note"),
        (answer(405, x_request_id="ab"), "note"),
        (NOTHING, "note"),
    ],
)
def test_whether_queries_reach_us(given: Answer | Trouble, level: str) -> None:
    assert judge_query("q", given, f"{ISSUER}/cas/logout").level == level


@pytest.mark.parametrize(
    ("given", "level", "words"),
    [
        (answer(200, x_request_id="ab"), "ok", "reaches the bridge"),
        (answer(200, b"<form>"), "FAULT", "another program"),
        (answer(302, location="https://portal/login?x=secret"), "FAULT", "redirects to https://portal/login"),
        (answer(404), "FAULT", "in front of the bridge"),
        (answer(405, x_request_id="ab"), "FAULT", "does not know that address"),
        (answer(403), "FAULT", "status 403"),
        (answer(429, x_request_id="ab"), "FAULT", "by the bridge"),
        (NOTHING, "FAULT", "Connection refused"),
    ],
)
def test_whether_single_logout_reaches_us(given: Answer | Trouble, level: str, words: str) -> None:
    found = judge_logout("l", given, f"{ISSUER}/cas/logout")
    assert (found.level, words in found.seen) == (level, True), found
    assert "secret" not in found.seen


def test_when_cas_last_ended_a_session() -> None:
    url = f"{ISSUER}/cas/logout"
    now = int(NOW)
    assert "2 hours ago" in judge_last_logout("l", now - 7200, began=[now] * 20, url=url, now=NOW).seen
    assert url in judge_last_logout("l", None, began=[now], url=url, now=NOW).do
    assert "left out" in judge_last_logout("l", None, began=[], url=url, now=NOW).seen


@pytest.mark.parametrize(("days", "sign_ins", "level"), [(8, 20, "note"), (8, 9, "ok"), (6, 20, "ok")])
def test_one_logout_long_ago_proves_nothing_after_many_sign_ins(days: int, sign_ins: int, level: str) -> None:
    last = int(NOW - days * DAY)
    began = [last + 60] * sign_ins + [last - 60] * 20
    assert judge_last_logout("l", last, began=began, url=f"{ISSUER}/cas/logout", now=NOW).level == level


@pytest.mark.parametrize(
    ("key", "level"),
    [
        ("7c1e0b7d6a4f4e2d8c9b1a2f3e4d5c6b7a8f9e0d1c2b3a4f5e6d7c8b9a0f1e2d", "ok"),
        ("k7Qm2xV9pL4sT8wZ", "warning"),
        ("0f" * 32, "FAULT"),
        ("replace-me-with-64-random-characters", "FAULT"),
        ("a" * 64, "FAULT"),
    ],
)
def test_a_secret_key_is_judged_by_its_looks_and_never_shown(key: str, level: str) -> None:
    found = judge_secret_key(key)
    assert found.level == level
    assert key not in " ".join((found.seen, found.means, found.do))


def test_the_rest_of_the_installation() -> None:
    assert judge_clients([]).level == "warning"
    assert judge_database("read", "sqlite").level == "ok"
    states: tuple[State, ...] = ("absent", "empty", "older")
    assert [judge_database(state, "sqlite").level for state in states] == ["note"] * 3
    failed = judge_database("failed", "postgresql", "PASSERELLE_DATABASE_URL: cannot use x: refused; start it; or not")
    assert (failed.seen, failed.do) == ("cannot use x: refused; start it.", "Or not.")
    assert "PASSERELLE_DATABASE_URL" in judge_database("failed", "postgresql", "It gave no answer.").do


def test_a_secret_key_that_does_not_open_the_stored_keys_is_a_fault_however_good_it_looks() -> None:
    found = judge_secret_key("7c1e0b7d6a4f4e2d8c9b1a2f3e4d5c6b", "PASSERELLE_SECRET_KEY: another; set it again")
    assert (found.level, found.seen, found.do) == ("FAULT", "PASSERELLE_SECRET_KEY: another.", "Set it again.")
