"""Invalid logout requests, and responses to browsers (cas8 and cas24)."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.http.logout_messages import (
    FORM,
    XML,
    deflated,
    form,
    message,
    posts,
    sign_in,
)
from tests.http.world import Running, events
from tests.support.bridge.actors import App, Browser, Response
from tests.support.cas import cas_xml
from tests.support.cas.scripted_cas import ScriptedCas

GOOD = message("ST-1")
GARBAGE: dict[str, Callable[[Running], Response]] = {
    "nothing": posts(b"", FORM),
    "nothing of no type": posts(b"", {}),
    "bytes": posts(bytes(range(256)), XML),
    "an empty field": posts(form(""), FORM),
    "another field": posts(b"logoutrequest=x", FORM),
    "two messages": posts(form(GOOD) + b"&" + form(GOOD), FORM),
    "many fields": posts(b"a=b&" * 5000 + form(GOOD), FORM),
    "no XML": posts(form("sign her out"), FORM),
    "other XML": posts(form("<x/>"), FORM),
    "no ticket": posts(form("<LogoutRequest/>"), FORM),
    "an empty ticket": posts(form(message("  ")), FORM),
    "two tickets": posts(form(message("ST-1</samlp:SessionIndex><samlp:SessionIndex>ST-2")), FORM),
    "a ticket further down": posts(form(GOOD.replace("samlp:SessionIndex", "x")), FORM),
    "a comment in the ticket": posts(form(message("ST-<!-- -->1")), FORM),
    "an instruction in the ticket": posts(form(message("ST-<?x y?>1")), FORM),
    "an element in the ticket": posts(form(message("ST-<b>1</b>")), FORM),
    "an endless ticket": posts(form(message("x" * 2000)), FORM),
    "a line break in the ticket": posts(form(message("ST-1\nX: y")), FORM),
    "cut off": posts(form(GOOD[:-5]), FORM),
    "another encoding": posts(GOOD.encode("utf-16"), XML),
    "NUL": posts(b"\0" + GOOD.encode(), XML),
    "too large": posts(form(GOOD.replace(">@", ">" + " " * 20_000)), FORM),
    "multipart without it": posts(b"--b--\r\n", {"Content-Type": "multipart/form-data; boundary=b"}),
    "multipart without a boundary": posts(b"x", {"Content-Type": "multipart/form-data"}),
    "json": posts(json.dumps({"logoutRequest": GOOD}).encode(), {"Content-Type": "application/json"}),
    "GET without it": lambda bridge: bridge.wire.send("GET", "/cas/logout"),
    "GET of no base64": lambda bridge: bridge.wire.send("GET", "/cas/logout?logoutRequest=%21%21"),
    "GET of nothing deflated": lambda bridge: bridge.wire.send("GET", "/cas/logout?logoutRequest=AAAA"),
    "GET of a bomb": lambda bridge: bridge.wire.send(
        "GET", f"/cas/logout?{urlencode({'logoutRequest': deflated(' ' * 5_000_000)})}"
    ),
    "GET of a cut stream": lambda bridge: bridge.wire.send(
        "GET", f"/cas/logout?{urlencode({'logoutRequest': deflated(GOOD)[:-12]})}"
    ),
}


@pytest.mark.parametrize("what", GARBAGE)
def test_invalid_logout_request_ends_nothing_cas24(
    bridge: Running, browser: Browser, hub: App, logged: list[str], what: str
) -> None:
    token = hub.redeem(sign_in(browser, hub)[1]).json["access_token"]
    assert GARBAGE[what](bridge).status == 400
    assert hub.fetch_userinfo(token).status == 200
    assert not events(logged, "unexpected_error")


@pytest.mark.parametrize("doctype", cas_xml.DOCTYPES)
@pytest.mark.parametrize("path", ["/cas/logout", "/cas/callback"])
def test_doctype_is_rejected_before_parsing_cas8(bridge: Running, path: str, doctype: str, logged: list[str]) -> None:
    declared = cas_xml.DOCTYPES[doctype].partition(b"<cas:")[0]
    assert posts(form((declared + message("&u;").encode()).decode()), FORM, path)(bridge).status == 400
    assert posts(declared + GOOD.encode(), XML, path)(bridge).status == 400
    assert [event["detail"] for event in events(logged, "refused")] == ["a DOCTYPE is not allowed"] * 2


def test_message_of_a_mebibyte_is_not_read_cas24(bridge: Running) -> None:
    assert posts(form("x" * 2**20), FORM)(bridge).status == 413
    assert posts(b"<" + b"x" * 2**20, XML)(bridge).status == 413


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE"])
def test_other_methods_end_no_session_cas24(bridge: Running, browser: Browser, hub: App, method: str) -> None:
    ticket, code = sign_in(browser, hub)
    token = hub.redeem(code).json["access_token"]
    query = urlencode({"logoutRequest": deflated(message(ticket))})
    for path in ("/cas/logout", "/cas/callback"):
        assert bridge.wire.send(method, f"{path}?{query}").status == 405
    assert hub.fetch_userinfo(token).status == 200


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("jQuery3_1.cb", "/**/jQuery3_1.cb({});"),
        ("alert(1)//", ""),
        ("</script>", ""),
        ("x" * 65, ""),
        ("", ""),
    ],
)
def test_jsonp_response_calls_only_a_function_name(bridge: Running, name: str, script: str) -> None:
    query = urlencode({"logoutRequest": deflated(GOOD), "callback": name})
    answer = bridge.wire.send("GET", f"/cas/logout?{query}")
    assert answer.text == script
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "name"),
    [("/cas/logout", "logoutRequest"), ("/cas/callback", "SAMLRequest"), ("/cas/logout", "SAMLRequest")],
)
def test_front_channel_redirects_back_to_cas(bridge: Running, cas: ScriptedCas, path: str, name: str) -> None:
    query = urlencode({name: deflated(GOOD), "RelayState": "e1s1&x=/\\evil.example"})
    location = urlsplit(bridge.wire.send("GET", f"{path}?{query}").location)
    assert f"{location.scheme}://{location.netloc}{location.path}" == f"{cas.url}/logout"
    assert parse_qs(location.query) == {"_eventId": ["next"], "RelayState": ["e1s1&x=/\\evil.example"]}
