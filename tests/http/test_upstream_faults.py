"""CAS outages, timeouts and invalid responses: an error page, and no session, code or logged ticket."""

from __future__ import annotations

import pytest

from tests.http.conftest import MakeBridge
from tests.http.world import HUB_SECRET, events
from tests.support.bridge.actors import App, Browser, Response
from tests.support.cas import cas_responses, cas_scripts, cas_xml
from tests.support.cas.scripted_cas import ALICE, Script, ScriptedCas

EVIL = "http://evil.example:1/steal?t="
ALICE_IN = cas_xml.signed_in("alice", ALICE)

FAULTS: dict[str, tuple[Script, str]] = {
    "html": (cas_scripts.reply_html(), "UpstreamM"),
    "html-error": (cas_scripts.reply_html(503), "UpstreamMisconfigured"),
    "cas10-success-with-500": (cas_scripts.reply(ALICE_IN, status=500), "UpstreamMisconfigured"),
    "cas10-redirect": (cas_scripts.redirect(EVIL), "UpstreamMisconfigured"),
    "cas2-empty": (cas_scripts.reply(b""), "UpstreamMalformed"),
    "cas2-truncated": (cas_scripts.reply(ALICE_IN[:-30]), "UpstreamMalformed"),
    "cas2-cut-connection": (cas_scripts.truncate(ALICE_IN, len(ALICE_IN) + 10), "UpstreamMalformed"),
    "cas2-no-namespace": (cas_scripts.reply(ALICE_IN.replace(b"www.yale.edu", b"www.evil.edu")), "UpstreamMalformed"),
    "cas2-text": (cas_scripts.reply(b"alice\n"), "UpstreamMalformed"),
    "cas17-cut-off": (cas_scripts.reply(b"yes\nalice"), "UpstreamMalformed"),
    "cas18-two-users": (
        cas_scripts.reply(b'{"serviceResponse":{"authenticationSuccess":{"user":"alice","user":"admin"}}}'),
        "UpstreamMalformed",
    ),
    "saml-of-another-day": (
        cas_scripts.reply(cas_responses.saml_signed_in("alice", {}, service="https://auth.example.org/", now=1.0)),
        "UpstreamMalformed",
    ),
    "cas3-child-in-user": (cas_scripts.reply(cas_xml.success("<cas:user>al<b/>ice</cas:user>")), "UpstreamMalformed"),
    "cas4-two-users": (cas_scripts.reply(cas_xml.success("<cas:user>a</cas:user>" * 2)), "UpstreamMalformed"),
    "cas4-injection": (cas_scripts.reply(cas_xml.LEMONLDAP_INJECTION), "UpstreamMalformed"),
    "cas6-empty-user": (cas_scripts.reply(cas_xml.success("<cas:user> </cas:user>")), "UpstreamMalformed"),
    "cas8-doctype": (cas_scripts.reply(cas_xml.DOCTYPES["internal-entity"]), "UpstreamMalformed"),
    "cas8-laughs": (cas_scripts.reply(cas_xml.DOCTYPES["billion-laughs"]), "UpstreamMalformed"),
    "cas9-5-MiB": (cas_scripts.reply(b"<" * (5 << 20)), "UpstreamMalformed"),
    "cas9-gzip": (cas_scripts.gzips(ALICE_IN), "UpstreamMisconfigured"),
    "hangs-up": (cas_scripts.close(), "Upstream"),
    "no-http": (cas_scripts.reply_raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "UpstreamMalformed"),
    "cas9-never-answers": (cas_scripts.never_answers(), "UpstreamTimeout"),
    "cas9-dribbles": (cas_scripts.dribbles_body(ALICE_IN, 0.02), "UpstreamTimeout"),
    "cas19-invalid-service": (cas_scripts.reply(cas_xml.failure("INVALID_SERVICE")), "ServiceRejected"),
    "unauthorized-service": (cas_scripts.reply(cas_xml.failure("UNAUTHORIZED_SERVICE")), "ServiceRejected"),
    "invalid-request": (cas_scripts.reply(cas_xml.failure("INVALID_REQUEST")), "ServiceRejected"),
    "internal-error": (cas_scripts.reply(cas_xml.failure("INTERNAL_ERROR")), "Upstream"),
    "unknown-code": (cas_scripts.reply(cas_xml.failure("SOMETHING_ELSE")), "Upstream"),
}


def is_an_honest_page(answer: Response) -> bool:
    told = answer.status == 502 and answer.is_page and "The central sign-in service" in answer.text
    return told and answer.headers["X-Request-Id"] in answer.text and "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("script", "kind"), [pytest.param(script, kind, id=name) for name, (script, kind) in FAULTS.items()]
)
def test_error_page_describes_the_failure(
    make_bridge: MakeBridge, cas: ScriptedCas, logged: list[str], script: Script, kind: str
) -> None:
    bridge = make_bridge(read_timeout=0.3 if kind == "UpstreamTimeout" else 5.0)
    browser, hub = Browser(bridge.wire), App(bridge.wire, secret=HUB_SECRET)
    cas.script = script
    answer = browser.sign_in(hub.authorization_url())
    assert is_an_honest_page(answer)
    assert "__Host-passerelle-session" not in browser.cookies
    (refused,) = events(logged, "refused")
    assert refused["level"] == "error"
    assert refused["kind"].startswith(kind)
    assert refused["detail"]
    # The page shows no internals; row 73 is asserted for every test here.
    assert not [word for word in (cas.url, "127.0.0.1", "evil.example", "ST-") if word in answer.text]


def test_user_can_restart_after_failure(make_bridge: MakeBridge, cas: ScriptedCas) -> None:
    bridge = make_bridge()
    browser, hub = Browser(bridge.wire), App(bridge.wire, secret=HUB_SECRET)
    cas.script = cas_scripts.reply_html()
    callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    assert browser.get(callback).status == 502
    assert browser.get(callback).status == 400, "the ticket may be spent: never a second question"
    assert len(cas.validations) == 1
    cas.script = None
    assert hub.extract_code(browser.sign_in(hub.authorization_url()))


def test_cas_outage_is_reported_at_once(make_bridge: MakeBridge, logged: list[str]) -> None:
    with ScriptedCas() as short_lived:
        bridge = make_bridge(cas_url=short_lived.url)
        browser, hub = Browser(bridge.wire), App(bridge.wire, secret=HUB_SECRET)
        callback = browser.log_in_at_cas(browser.get(hub.authorization_url()))
    answer = browser.get(callback)
    assert is_an_honest_page(answer)
    assert "could not be reached" in answer.text
    assert events(logged, "refused")[0]["kind"] == "UpstreamUnreachable"


def test_tickets_are_validated_at_internal_url(make_bridge: MakeBridge, cas: ScriptedCas) -> None:
    bridge = make_bridge(cas_url="https://cas.example.org/cas", cas_internal_url=cas.url)
    browser, hub = Browser(bridge.wire), App(bridge.wire, secret=HUB_SECRET)
    to_cas = browser.get(hub.authorization_url()).location
    assert to_cas.startswith(
        "https://cas.example.org/cas/login?service=https%3A%2F%2Fauth.example.org%2Fcas%2Fcallback"
    )
    cas.script = cas_scripts.reply(ALICE_IN)
    state = to_cas.partition("state%3D")[2]
    assert hub.extract_code(browser.get(f"/cas/callback?state={state}&ticket=ST-1"))
