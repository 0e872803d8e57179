"""The whole way through CAS in each protocol that the settings can name, and through a proxy."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.http.conftest import MakeBridge
from tests.http.world import HUB_SECRET, events
from tests.support import cas_answers, cas_scripts, cas_xml
from tests.support.actors import App, Browser
from tests.support.http_proxy import HttpProxy
from tests.support.scripted_cas import ScriptedCas

PROTOCOLS: Mapping[str, tuple[dict[str, str], str]] = {
    "3.0": ({"cas_protocol": "3.0"}, "/cas/p3/serviceValidate"),
    "2.0": ({"cas_protocol": "2.0"}, "/cas/serviceValidate"),
    "3.0-json": ({"cas_format": "json"}, "/cas/p3/serviceValidate"),
    "2.0-json": ({"cas_protocol": "2.0", "cas_format": "json"}, "/cas/serviceValidate"),
    "saml1.1": ({"cas_protocol": "saml1.1"}, "/cas/samlValidate"),
    "1.0": ({"cas_protocol": "1.0"}, "/cas/validate"),
}


@dataclass
class Meeting:
    """A person and an application at a bridge of these settings."""

    browser: Browser
    hub: App


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def meet(make_bridge: MakeBridge, **settings: str) -> Meeting:
    bridge = make_bridge(**settings)
    return Meeting(Browser(bridge.wire), App(bridge.wire, secret=HUB_SECRET))


def test_a_person_arrives_with_what_the_protocol_can_tell(
    make_bridge: MakeBridge, cas: ScriptedCas, protocol: str
) -> None:
    settings, path = PROTOCOLS[protocol]
    met = meet(make_bridge, **settings)
    token = met.hub.redeems(met.hub.takes_code(met.browser.signs_in(met.hub.sends()))).json["access_token"]
    told = met.hub.asks_who(token).json
    assert told["sub"] == told["preferred_username"] == "alice"
    assert [seen.path for seen in cas.validations] == [path]
    if protocol == "1.0":
        assert "email" not in told
    else:
        assert told["email"] == "alice@example.org"
        assert {"staff", "jupyter-admins"} <= set(told["groups"])


def test_a_spent_ticket_restarts_once_in_every_protocol_cas19(
    make_bridge: MakeBridge, cas: ScriptedCas, protocol: str
) -> None:
    met = meet(make_bridge, **PROTOCOLS[protocol][0])
    callback = met.browser.visits_cas(met.browser.opens(met.hub.sends()))
    cas._tickets.clear()
    again = met.browser.opens(callback)
    assert met.hub.takes_code(met.browser.opens(met.browser.visits_cas(again)))
    assert len(cas.validations) == 2


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if name != "1.0"])  # which gives no reason
def test_a_service_that_cas_does_not_accept_raises_the_alarm_and_never_restarts_cas19(
    make_bridge: MakeBridge, cas: ScriptedCas, logged: list[str], name: str
) -> None:
    met = meet(make_bridge, **PROTOCOLS[name][0])
    callback = met.browser.visits_cas(met.browser.opens(met.hub.sends()))
    cas._tickets = dict.fromkeys(cas._tickets, "https://elsewhere.example.org/")
    assert met.browser.opens(callback).status == 502
    assert len(cas.validations) == 1
    (refused,) = events(logged, "refused")
    assert (refused["level"], refused["kind"]) == ("error", "ServiceNotAccepted")


@pytest.mark.parametrize("code", ["INVALID_SERVICE", "UNAUTHORIZED_SERVICE", "INVALID_REQUEST"])
def test_the_alarm_is_raised_and_the_application_told_where_nobody_reads_a_page(
    make_bridge: MakeBridge, cas: ScriptedCas, logged: list[str], code: str
) -> None:
    met = meet(make_bridge)
    cas.script = cas_scripts.says(cas_xml.failure(code))
    answer = met.browser.signs_in(met.hub.sends(prompt="none"))
    assert answer.parameters["error"] == "server_error"
    (failed,) = events(logged, "sign_in_failed")
    assert (failed["level"], failed["kind"]) == ("error", "ServiceNotAccepted")
    assert code in failed["detail"]


def test_a_fresh_login_is_asked_for_at_validation_in_every_protocol_cas23(
    make_bridge: MakeBridge, cas: ScriptedCas, protocol: str
) -> None:
    met = meet(make_bridge, **PROTOCOLS[protocol][0])
    assert met.hub.takes_code(met.browser.signs_in(met.hub.sends(prompt="login")))
    assert cas.validations[0].value("renew") == "true"


def test_a_saml_answer_with_an_old_authentication_is_no_fresh_login_cas23(
    make_bridge: MakeBridge, cas: ScriptedCas
) -> None:
    met = meet(make_bridge, cas_protocol="saml1.1")
    cas.script = lambda exchange: exchange.reply(
        cas_answers.saml_signed_in(
            "alice",
            {"authenticationDate": ["2026-01-01T00:00:00Z"]},
            service=exchange.request_seen.value("TARGET"),
            now=time.time(),
        )
    )
    answer = met.browser.signs_in(met.hub.sends(prompt="login"))
    assert met.browser.opens(met.browser.visits_cas(answer)).status == 403
    assert met.hub.takes_code(met.browser.signs_in(met.hub.sends())), "without renew an old session is as good as any"


def test_tickets_pass_a_proxy_that_wants_a_password(
    make_bridge: MakeBridge, cas: ScriptedCas, logged: list[str], protocol: str
) -> None:
    with HttpProxy(login="bridge:s3cret") as proxy:
        url = proxy.url.replace("//", "//bridge:s3cret@")
        met = meet(make_bridge, cas_proxy=url, **PROTOCOLS[protocol][0])
        assert met.hub.takes_code(met.browser.signs_in(met.hub.sends()))
        assert len(proxy.passages) == len(cas.validations) == 1
        wrong = meet(make_bridge, cas_proxy=url.replace("s3cret", "wr0ng"))
        assert wrong.browser.signs_in(wrong.hub.sends()).status == 502
    assert len(cas.validations) == 1
    assert events(logged, "refused")[0]["kind"] == "UpstreamUnreachable"
    assert not [line for line in logged if "s3cret" in line or "wr0ng" in line]


def test_addresses_and_parameters_of_the_site_are_used_on_every_way(make_bridge: MakeBridge, cas: ScriptedCas) -> None:
    met = meet(
        make_bridge,
        cas_url="https://nothing.example.org/cas",
        cas_login_url=f"{cas.url}/login?realm=staff",
        cas_validate_url=f"{cas.url}/serviceValidate?realm=staff",
        cas_logout_url="https://bye.example.org/out",
        cas_login_parameters=json.dumps({"authn_method": "mfa duo"}),
        cas_validate_parameters=json.dumps({"assurance": "high&low"}),
    )
    to_cas = met.browser.opens(met.hub.sends())
    asked = parse_qs(urlsplit(to_cas.location).query)
    assert (asked["realm"], asked["authn_method"]) == (["staff"], ["mfa duo"])
    assert met.hub.takes_code(met.browser.opens(met.browser.visits_cas(to_cas)))
    assert cas.validations[0].query.keys() == {"realm", "service", "ticket", "assurance"}
    assert cas.validations[0].value("assurance") == "high&low"
    page = met.browser.opens("/logout")
    assert "https://bye.example.org" in page.headers["Content-Security-Policy"]
