"""Invalid parameters, encodings and sizes get a 4xx or an error response, never a 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.http.world import HUB_SECRET, Running, events
from tests.support.bridge.actors import FORM, App, Browser, Response

GARBAGE = settings(
    max_examples=150,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
NAMES = st.sampled_from(
    [
        *(
            "client_id",
            "redirect_uri",
            "response_type",
            "response_mode",
            "scope",
            "state",
            "nonce",
            "prompt",
            "max_age",
        ),
        *("code_challenge", "code_challenge_method", "request", "request_uri", "registration", "id_token_hint"),
        *("login_hint", "claims", "grant_type", "code", "client_secret", "code_verifier", "ticket", "access_token"),
    ]
)
ODD = st.sampled_from(
    [
        '"',
        "\\",
        "'",
        "\x00",
        "\r\n",
        "é☃\U0001f6b2",
        "%",
        "%00",
        "%0d%0a",
        "../",
        "<script>",
        "a" * 10_000,
        "\ufffe",
        "\u202e",
    ]
)
VALUES = st.one_of(st.text(max_size=60), ODD, st.lists(ODD, max_size=4).map("".join))
CHANGES = st.dictionaries(NAMES, VALUES, max_size=4)
TWICE = st.lists(st.tuples(st.one_of(NAMES, st.text(max_size=10)), VALUES), max_size=3)
RAW = [
    "client_id=%FF%FE&redirect_uri=%C3%28",
    "client_id=hub&redirect_uri=%ED%A0%80&state=%ED%BF%BF",
    "client_id=hub&response_type=code&state=%FF&scope=%80",
    "client_id=%&redirect_uri=%z&%=%&&&=&=x&x",
    "&".join("client_id=hub" for _ in range(2000)),
    "client_id=hub&" + "&".join(f"p{number}=x" for number in range(3000)),
    "client_id=" + "%22" * 10_000,
    ";client_id=hub;redirect_uri=x",
    "client_id[]=hub&client_id[0]=hub",
    "client_id=hub\xff",
    "%00=%00",
]


def is_calm(answer: Response) -> bool:
    """Assert no 5xx, and redirects only to CAS or to the registered URI."""
    sent_to = answer.headers.get("Location", "https://hub.example.org/hub/oauth_callback?")
    here = ("https://hub.example.org/hub/oauth_callback?", "http://127.0.0.1:")
    return answer.status < 500 and sent_to.startswith(here) and "\n" not in sent_to


@pytest.fixture(autouse=True)
def nothing_unexpected(logged: list[str]) -> Iterator[None]:
    yield
    assert not events(logged, "unexpected_error")


@GARBAGE
@given(changes=CHANGES, twice=TWICE, post=st.booleans())
def test_garbage_at_the_authorization_endpoint(
    bridge: Running, changes: dict[str, str], twice: list[tuple[str, str]], post: bool
) -> None:
    browser, hub = Browser(bridge.wire), App(bridge.wire, secret=HUB_SECRET, state="s")
    query = urlencode([*{**hub.request(), **changes}.items(), *twice])
    answer = (
        bridge.wire.send("POST", "/authorize", headers=FORM, body=query) if post else browser.get(f"/authorize?{query}")
    )
    assert is_calm(answer)


@GARBAGE
@given(changes=CHANGES, twice=TWICE, basic=st.none() | st.text(max_size=40))
def test_garbage_at_the_token_endpoint(
    bridge: Running, changes: dict[str, str], twice: list[tuple[str, str]], basic: str | None
) -> None:
    hub = App(bridge.wire, secret=HUB_SECRET)
    usual = {"grant_type": "authorization_code", "code": "x", "client_id": "hub", "client_secret": HUB_SECRET}
    answer = hub.request_token([*{**usual, **changes}.items(), *twice], basic=basic)
    assert answer.status in (400, 401, 413)
    assert answer.json["error"]


@GARBAGE
@given(ticket=VALUES, state=VALUES, cookie=st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=40))
def test_garbage_at_the_callback(bridge: Running, ticket: str, state: str, cookie: str) -> None:
    query = urlencode({"ticket": f"ST-{ticket}", "state": state})
    jar = f"__Host-passerelle-login={cookie}; __Host-passerelle-session={cookie}"
    answer = bridge.wire.send("GET", f"/cas/callback?{query}", headers={"Cookie": jar})
    assert answer.status == 400
    assert answer.is_page


@GARBAGE
@given(
    header=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60),
    path=st.sampled_from(["/token", "/userinfo"]),
)
def test_garbage_in_the_authorization_header(bridge: Running, header: str, path: str) -> None:
    for scheme in ("", "Basic ", "Bearer "):
        answer = bridge.wire.send("POST", path, headers=FORM | {"Authorization": scheme + header}, body="a=b")
        assert answer.status in (400, 401)


@pytest.mark.parametrize("path", ["/authorize", "/cas/callback", "/token", "/userinfo", "/nowhere", "/"])
@pytest.mark.parametrize("raw", RAW, ids=range(len(RAW)))
def test_malformed_encodings_row5(bridge: Running, path: str, raw: str) -> None:
    assert bridge.wire.send("GET", f"{path}?{raw}").status < 500
    body = raw.encode("latin-1")
    assert bridge.wire.send("POST", path, headers=FORM, body=body).status < 500
    assert (
        bridge.wire.send("POST", f"{path}?{raw}", headers={"Content-Type": "multipart/form-data"}, body=body).status
        < 500
    )


@pytest.mark.parametrize(
    "path", ["/%00", "/%FF", "/..%2f..%2fetc/passwd", "/static/..%2f..%2fcli.py", "/" + "a" * 60_000]
)
def test_malformed_paths(bridge: Running, path: str) -> None:
    assert bridge.wire.send("GET", path).status == 404


@pytest.mark.parametrize("name", ["Accept", "Accept-Language", "Host", "Cookie", "Content-Type", "Referer", "Range"])
@pytest.mark.parametrize("value", ["", "\xff", ',;="', "a" * 9000, "bytes=0-99999999999999999999", "[::", "*/*;q=ü"])
def test_malformed_headers(bridge: Running, hub: App, name: str, value: str) -> None:
    """A Host header that Werkzeug rejects is a 400 as well."""
    for path in (hub.authorization_url(), "/static/bridge.css", "/nowhere", "/.well-known/jwks.json"):
        assert bridge.wire.send("GET", path, headers={"Accept": "text/html", name: value}).status < 500
    assert bridge.wire.send("POST", "/token", headers=FORM | {name: value}, body="a=b").status < 500


def test_state_of_any_bytes_is_returned(browser: Browser, hub: App) -> None:
    every = "".join(chr(code) for code in range(256))
    assert browser.get(hub.authorization_url(state=every, response_type="x")).parameters["state"] == every
