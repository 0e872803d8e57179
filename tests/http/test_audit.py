"""Row 73: every decision is logged with names, and no log line has a secret."""

from __future__ import annotations

import json
import logging
import re
import secrets
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import create_engine, text

from bridge.store import StoredClient
from tests.http.conftest import MakeBridge
from tests.http.every_flow import CALLER, CLIENT, Actors, drive_every_flow, ends_well
from tests.http.world import CLIENTS, HUB_SECRET, ISSUER, Running, events
from tests.support.bridge.actors import FORM, App, Browser, Wire
from tests.support.bridge.live_bridge import LiveBridge
from tests.support.cas.scripted_cas import ScriptedCas

MISPLACED = "a-secret-in-the-wrong-place"

PAGE = Path(__file__).parents[2] / "docs" / "audit.md"
ALWAYS = {"event", "level", "request_id", "remote"}
WHEN_KNOWN = {"client", "subject"}


@pytest.fixture
def bridge(make_bridge: MakeBridge) -> Running:
    return make_bridge(clients=json.dumps([*CLIENTS, CLIENT]), proxy_hops="1")


@pytest.fixture
def actors(bridge: Running) -> Actors:
    return Actors(bridge.wire)


@pytest.fixture
def other_logs(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Collect the log of the libraries at the most verbose level."""
    caplog.set_level(logging.DEBUG)
    return caplog


def test_every_event_is_documented_with_its_fields(
    bridge: Running, actors: Actors, cas: ScriptedCas, logged: list[str]
) -> None:
    drive_every_flow(bridge, actors, cas)
    rows = re.findall(r"^\| `([a-z_]+)` \| ([^|]*) \| ([^|]*) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    page = {name: (levels, set(re.findall(r"`(\w+)`", fields))) for name, levels, fields in rows}
    seen = [json.loads(line) for line in logged]
    for event in seen:
        levels, fields = page[event["event"]]
        assert set(event) >= ALWAYS | fields, event
        assert set(event) <= ALWAYS | fields | WHEN_KNOWN, event
        assert event["level"] in levels, event
    expected = {
        "signed_in",
        "consent",
        "code_issued",
        "token_issued",
        "token_refused",
        "reuse_detected",
        "introspected",
    }
    expected |= {"revoked", "signed_out", "session_ended", "refused", "authorization_refused", "login_restarted"}
    assert expected <= {event["event"] for event in seen}


def test_decisions_log_user_client_and_address_row39(bridge: Running, actors: Actors, logged: list[str]) -> None:
    ends_well(bridge, actors)
    seen = [json.loads(line) for line in logged]
    assert {event["remote"] for event in seen} == {CALLER}
    assert all(re.fullmatch("[0-9a-f]{16}", event["request_id"]) for event in seen)
    for name in ("signed_in", "consent", "code_issued", "signed_out"):
        assert {(event["client"], event["subject"]) for event in events(logged, name)} == {("app", "alice")}, name
    by_grant = {event["grant_type"]: event for event in events(logged, "token_issued")}
    assert by_grant["authorization_code"]["subject"] == by_grant["refresh_token"]["subject"] == "alice"
    assert "subject" not in by_grant["client_credentials"]
    assert {event["client"] for event in by_grant.values()} == {"app"}


@pytest.mark.parametrize("hops", ["0", "1", "2"])
def test_only_trusted_proxies_set_the_client_address_row39(
    make_bridge: MakeBridge, logged: list[str], hops: str
) -> None:
    bridge = make_bridge(proxy_hops=hops)
    headers = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7, 192.0.2.44", "X-Real-Ip": "203.0.113.9"}
    client = bridge.app.test_client()
    client.get("/authorize?client_id=unknown", headers=headers, environ_overrides={"REMOTE_ADDR": "10.0.0.1"})
    expected = {"0": "10.0.0.1", "1": "192.0.2.44", "2": "198.51.100.7"}[hops]
    assert events(logged, "refused")[-1]["remote"] == expected


@pytest.mark.parametrize("header", ["Host", "Proto", "Prefix", "Port"])
def test_trusted_proxies_do_not_set_urls_row39(make_bridge: MakeBridge, header: str) -> None:
    bridge = make_bridge(proxy_hops="1")
    browser, hub = Browser(bridge.wire), App(bridge.wire, secret=HUB_SECRET)
    forged = {f"X-Forwarded-{header}": {"Host": "evil.example", "Proto": "http", "Port": "81"}.get(header, "/evil")}
    begun = browser.get(hub.authorization_url(), **forged)
    assert browser.get(browser.log_in_at_cas(begun), **forged).parameters["iss"] == bridge.wire.issuer
    assert "evil" not in begun.location


def test_no_log_line_has_a_secret_row73(
    bridge: Running, actors: Actors, cas: ScriptedCas, logged: list[str], other_logs: pytest.LogCaptureFixture
) -> None:
    drive_every_flow(bridge, actors, cas)
    secrets_seen = {secret for secret in bridge.wire.secrets | bridge.wire.states if len(secret) > 3}
    assert len(secrets_seen) > 30
    written = "\n".join([*logged, other_logs.text])
    assert not [secret for secret in secrets_seen if secret in written]


@pytest.mark.parametrize(
    "name", ["client_id", "redirect_uri", "state", "login_hint", "scope", "prompt", "response_type"]
)
def test_secret_in_wrong_parameter_is_not_logged(actors: Actors, logged: list[str], name: str) -> None:
    actors.browser.get(actors.app.authorization_url(**{name: MISPLACED}))
    actors.browser.get("/logout?" + urlencode({"client_id": "app", name: MISPLACED}))
    assert MISPLACED not in "\n".join(logged)


@pytest.mark.parametrize("form", [{"client_id": MISPLACED}, {"grant_type": MISPLACED}, {"code": MISPLACED}, {}])
def test_misplaced_secret_of_client_is_not_logged(actors: Actors, logged: list[str], form: dict[str, str]) -> None:
    swapped = None if form else f"{MISPLACED}:app"
    for endpoint in ("token", "introspect", "revoke"):
        header = {} if swapped is None else {"Authorization": f"Basic {b64encode(swapped.encode()).decode()}"}
        actors.browser.wire.send("POST", f"{ISSUER}/{endpoint}", headers=FORM | header, body=urlencode(form))
    assert MISPLACED not in "\n".join(logged)


@pytest.mark.parametrize("name", ["redirect_uri", "post_logout_redirect_uri"])
def test_unknown_redirect_uri_is_logged_without_secrets(actors: Actors, logged: list[str], name: str) -> None:
    """Known segments of the path remain, so that an administrator sees which part is wrong."""
    uri = f"https://user:{MISPLACED}@other.example.org/cb/{MISPLACED}?token={MISPLACED}#{MISPLACED}"
    if name == "redirect_uri":
        actors.browser.get(actors.app.authorization_url(redirect_uri=uri))
    else:
        actors.browser.get("/logout?" + urlencode({"client_id": "app", name: uri}))
    (event,) = events(logged, "refused")
    assert event["detail"].endswith(f"https://other.example.org/{'cb' if name == 'redirect_uri' else '…'}/…")
    assert MISPLACED not in "\n".join(logged)


def test_traceback_has_no_secret_row73(bridge: Running, actors: Actors, logged: list[str]) -> None:
    """The exception of a rejected statement has every parameter."""
    page = actors.browser.sign_in(actors.app.authorization_url())
    code = actors.app.extract_code(actors.give_consent(page))
    engine = create_engine(f"sqlite:///{bridge.database}")
    with engine.begin() as connection:
        reject = "BEGIN SELECT RAISE(ABORT, ''); END"
        connection.execute(text(f"CREATE TRIGGER strict BEFORE INSERT ON access_tokens {reject}"))
    engine.dispose()
    assert actors.redeem(code).status == 500
    (fault,) = events(logged, "unexpected_error")
    assert "access_tokens" in fault["exception"]
    assert not [secret for secret in bridge.wire.secrets if secret in json.dumps(fault)]


@pytest.mark.parametrize("what", ["authorization code", "refresh token"])
def test_token_reuse_is_logged_with_client_and_user_row17_row24(
    bridge: Running, actors: Actors, logged: list[str], what: str
) -> None:
    code = actors.app.extract_code(actors.give_consent(actors.browser.sign_in(actors.app.authorization_url())))
    token = actors.redeem(code).json["refresh_token"]
    for _ in range(3):
        if what == "refresh token":
            actors.post("/token", grant_type="refresh_token", refresh_token=token)
        else:
            actors.redeem(code)
        bridge.clock.advance(11)
    (event,) = events(logged, "reuse_detected")
    facts = {name: event[name] for name in ("level", "what", "client", "subject")}
    assert facts == {"level": "warning", "what": what, "client": "app", "subject": "alice"}


def test_disabled_client_is_logged_as_disabled(bridge: Running, logged: list[str]) -> None:
    off = {"client_id": "off", "client_secret_hash": "00" * 32, "redirect_uris": ["https://off.example.org/cb"]}
    bridge.store.clients.put(StoredClient(client_id="off", document=json.dumps(off), disabled=True), now=0)
    bridge.clock.advance(31)
    bridge.wire.send("GET", "/authorize?client_id=off&response_type=code")
    bridge.wire.send("GET", "/logout?client_id=off&post_logout_redirect_uri=https://off.example.org/")
    bridge.wire.send(
        "POST",
        "/token",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body="grant_type=client_credentials&client_id=off",
    )
    details = [json.loads(line).get("detail") for line in logged]
    assert [detail for detail in details if detail] == ["client off is disabled"] * 3


def test_client_changes_by_commands_are_logged_by_server(bridge: Running, logged: list[str]) -> None:
    def reread_clients() -> None:
        bridge.clock.advance(31)
        bridge.wire.send("GET", "/authorize?client_id=unknown")
        bridge.wire.send("GET", "/.well-known/jwks.json")

    reread_clients()
    added = {"client_id": "new", "client_secret_hash": "00" * 32, "redirect_uris": ["https://new.example.org/cb"]}
    for document in (added, added | {"consent": True}):
        bridge.store.clients.put(StoredClient(client_id="new", document=json.dumps(document), disabled=False), now=0)
        reread_clients()
    for disabled, name in (
        (True, "new"),
        (True, "off"),
        (False, "new"),
    ):  # "off" was never enabled, so its change is not logged
        document = json.dumps(added | {"client_id": name})
        bridge.store.clients.put(StoredClient(client_id=name, document=document, disabled=disabled), now=0)
        reread_clients()
    bridge.store.clients.remove("new")
    reread_clients()
    details = [
        {name: event[name] for name in ("added", "changed", "disabled", "enabled", "removed") if event[name]}
        for event in events(logged, "clients_changed")
    ]
    assert details == [
        *({"added": ["new"]}, {"changed": ["new"]}, {"disabled": ["new"]}),
        *({"enabled": ["new"]}, {"removed": ["new"]}),
    ]
    retired = bridge.store.keys.all()[0].kid
    bridge.store.keys.remove(retired)
    reread_clients()
    (event,) = events(logged, "signing_keys_changed")
    assert (event["added"], event["removed"]) == ([], [retired])


def test_debug_log_is_json_without_secrets_row73(cas: ScriptedCas, tmp_path: Path) -> None:
    settings = {"PASSERELLE_LOG_LEVEL": "debug"}
    with LiveBridge(tmp_path, cas_url=cas.url, clients=[CLIENT], settings=settings) as bridge:
        wire = Wire(bridge.url, port=bridge.port)
        actors = Actors(wire)
        _ends_well_live(actors)
    lines: list[dict[str, Any]] = [json.loads(line) for line in bridge.log.splitlines()]
    assert {"signed_in", "token_issued", "reuse_detected", "refused"} <= {line["event"] for line in lines}
    assert {line["remote"] for line in lines if "request_id" in line} == {"127.0.0.1"}
    assert not [secret for secret in wire.secrets | wire.states if secret in bridge.log]


def _ends_well_live(actors: Actors) -> None:
    code = actors.app.extract_code(actors.give_consent(actors.browser.sign_in(actors.app.authorization_url())))
    actors.fetch_userinfo(actors.redeem(code).json["access_token"])
    actors.redeem(code)
    actors.fetch_userinfo(secrets.token_urlsafe(32))
