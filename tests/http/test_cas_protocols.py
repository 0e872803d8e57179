"""Complete logins with every CAS protocol, and through a proxy."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.http.conftest import MakeBridge
from tests.http.world import HUB_SECRET, events
from tests.support.bridge.actors import App, Browser
from tests.support.bridge.http_proxy import HttpProxy
from tests.support.cas import cas_responses, cas_scripts, cas_xml
from tests.support.cas.scripted_cas import ScriptedCas

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
    """Start a bridge with settings, and return a user and a client."""

    browser: Browser
    hub: App


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def meet(make_bridge: MakeBridge, **settings: str) -> Meeting:
    bridge = make_bridge(**settings)
    return Meeting(Browser(bridge.wire), App(bridge.wire, secret=HUB_SECRET))


def test_login_with_each_protocol(make_bridge: MakeBridge, cas: ScriptedCas, protocol: str) -> None:
    settings, path = PROTOCOLS[protocol]
    met = meet(make_bridge, **settings)
    token = met.hub.redeem(met.hub.extract_code(met.browser.sign_in(met.hub.authorization_url()))).json["access_token"]
    told = met.hub.fetch_userinfo(token).json
    assert told["sub"] == told["preferred_username"] == "alice"
    assert [seen.path for seen in cas.validations] == [path]
    if protocol == "1.0":
        assert "email" not in told
    else:
        assert told["email"] == "alice@example.org"
        assert {"staff", "jupyter-admins"} <= set(told["groups"])


def test_used_ticket_restarts_once_per_protocol_cas19(make_bridge: MakeBridge, cas: ScriptedCas, protocol: str) -> None:
    met = meet(make_bridge, **PROTOCOLS[protocol][0])
    callback = met.browser.log_in_at_cas(met.browser.get(met.hub.authorization_url()))
    cas._tickets.clear()
    again = met.browser.get(callback)
    assert met.hub.extract_code(met.browser.get(met.browser.log_in_at_cas(again)))
    assert len(cas.validations) == 2


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if name != "1.0"])  # which gives no reason
def test_rejected_service_is_logged_as_error_cas19(
    make_bridge: MakeBridge, cas: ScriptedCas, logged: list[str], name: str
) -> None:
    met = meet(make_bridge, **PROTOCOLS[name][0])
    callback = met.browser.log_in_at_cas(met.browser.get(met.hub.authorization_url()))
    cas._tickets = dict.fromkeys(cas._tickets, "https://elsewhere.example.org/")
    assert met.browser.get(callback).status == 502
    assert len(cas.validations) == 1
    (refused,) = events(logged, "refused")
    assert (refused["level"], refused["kind"]) == ("error", "ServiceRejected")


@pytest.mark.parametrize("code", ["INVALID_SERVICE", "UNAUTHORIZED_SERVICE", "INVALID_REQUEST"])
def test_rejected_service_is_reported_for_prompt_none(
    make_bridge: MakeBridge, cas: ScriptedCas, logged: list[str], code: str
) -> None:
    met = meet(make_bridge)
    cas.script = cas_scripts.reply(cas_xml.failure(code))
    answer = met.browser.sign_in(met.hub.authorization_url(prompt="none"))
    assert answer.parameters["error"] == "server_error"
    (failed,) = events(logged, "sign_in_failed")
    assert (failed["level"], failed["kind"]) == ("error", "ServiceRejected")
    assert code in failed["detail"]


def test_fresh_login_is_requested_in_every_protocol_cas23(
    make_bridge: MakeBridge, cas: ScriptedCas, protocol: str
) -> None:
    met = meet(make_bridge, **PROTOCOLS[protocol][0])
    assert met.hub.extract_code(met.browser.sign_in(met.hub.authorization_url(prompt="login")))
    assert cas.validations[0].value("renew") == "true"


def test_old_saml_authentication_is_not_fresh_cas23(make_bridge: MakeBridge, cas: ScriptedCas) -> None:
    met = meet(make_bridge, cas_protocol="saml1.1")
    cas.script = lambda exchange: exchange.reply(
        cas_responses.saml_signed_in(
            "alice",
            {"authenticationDate": ["2026-01-01T00:00:00Z"]},
            service=exchange.request_seen.value("TARGET"),
            now=time.time(),
        )
    )
    answer = met.browser.sign_in(met.hub.authorization_url(prompt="login"))
    assert met.browser.get(met.browser.log_in_at_cas(answer)).status == 403
    assert met.hub.extract_code(met.browser.sign_in(met.hub.authorization_url())), (
        "without renew an old session is as good as any"
    )


def test_tickets_pass_an_authenticating_proxy(
    make_bridge: MakeBridge, cas: ScriptedCas, logged: list[str], protocol: str
) -> None:
    with HttpProxy(login="bridge:s3cret") as proxy:
        url = proxy.url.replace("//", "//bridge:s3cret@")
        met = meet(make_bridge, cas_proxy=url, **PROTOCOLS[protocol][0])
        assert met.hub.extract_code(met.browser.sign_in(met.hub.authorization_url()))
        assert len(proxy.passages) == len(cas.validations) == 1
        wrong = meet(make_bridge, cas_proxy=url.replace("s3cret", "wr0ng"))
        assert wrong.browser.sign_in(wrong.hub.authorization_url()).status == 502
    assert len(cas.validations) == 1
    assert events(logged, "refused")[0]["kind"] == "UpstreamUnreachable"
    assert not [line for line in logged if "s3cret" in line or "wr0ng" in line]


def test_configured_endpoints_and_parameters_are_used(make_bridge: MakeBridge, cas: ScriptedCas) -> None:
    met = meet(
        make_bridge,
        cas_url="https://nothing.example.org/cas",
        cas_login_url=f"{cas.url}/login?realm=staff",
        cas_validate_url=f"{cas.url}/serviceValidate?realm=staff",
        cas_logout_url="http://bye.localhost:8080/out",
        cas_login_parameters=json.dumps({"authn_method": "mfa duo"}),
        cas_validate_parameters=json.dumps({"assurance": "high&low"}),
    )
    to_cas = met.browser.get(met.hub.authorization_url())
    asked = parse_qs(urlsplit(to_cas.location).query)
    assert (asked["realm"], asked["authn_method"]) == (["staff"], ["mfa duo"])
    assert met.hub.extract_code(met.browser.get(met.browser.log_in_at_cas(to_cas)))
    assert cas.validations[0].query.keys() == {"realm", "service", "ticket", "assurance"}
    assert cas.validations[0].value("assurance") == "high&low"
    met.browser.cookies.clear()
    page = met.browser.get("/logout", Accept="text/html")
    assert 'href="http://bye.localhost:8080/out"' in page.text


ODD = {
    "displayName": ["<&>\"'\u2028é", "x"],
    "__proto__": ["a"],
    "a.b": [""],
    "Ünï": ["é"],
    "cn": ["x" * 20 * 1024],
    "memberOf": [f"g{n:x}" for n in range(900)],
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.7": ["urn:mace:example"],
}


@pytest.mark.parametrize("form", ["xml", "json"])
def test_unusual_attributes_give_valid_claims_cas14(make_bridge: MakeBridge, cas: ScriptedCas, form: str) -> None:
    met = meet(make_bridge, attributes=json.dumps({"family_name": ["cn"]}))
    hexed = {f"_{name.encode().hex()}" if ":" in name else name: values for name, values in ODD.items()}
    body = cas_responses.json_success(attributes=ODD) if form == "json" else cas_xml.signed_in("alice", hexed)
    cas.script = cas_scripts.reply(body)
    token = met.hub.redeem(met.hub.extract_code(met.browser.sign_in(met.hub.authorization_url()))).json["access_token"]
    told = met.hub.fetch_userinfo(token).json
    assert told["name"] == "<&>\"'\u2028é"
    assert len(told["groups"]) == 900
    assert len(told["family_name"]) == 20 * 1024


DATES: Mapping[str, int | None] = {
    "2019-09-05T12:40:08.014Z[UTC]": 1567687208,
    "2019-09-05T13:40:08.014+01:00[Europe/Berlin]": 1567687208,
    "2019-09-05T12:40:08.920747Z": 1567687208,
    "2019-09-05T12:40:08.123456789Z": 1567687208,
    "Tue May 19 02:20:19 UTC 2015": None,
    "[]": None,
    "soon": None,
}


@pytest.mark.parametrize("date", DATES)
def test_any_date_format_allows_login_cas15(make_bridge: MakeBridge, cas: ScriptedCas, date: str) -> None:
    met = meet(make_bridge)
    cas.script = cas_scripts.reply(cas_xml.signed_in("alice", {"authenticationDate": [date]}))
    id_token = met.hub.redeem(met.hub.extract_code(met.browser.sign_in(met.hub.authorization_url()))).json["id_token"]
    claims = json.loads(base64.urlsafe_b64decode(id_token.split(".")[1] + "=="))
    assert claims.get("auth_time") == DATES[date]


def test_apereo_json_dates_and_booleans_are_read_cas15_cas18(make_bridge: MakeBridge, cas: ScriptedCas) -> None:
    met = meet(make_bridge, cas_format="json")
    facts = b'"authenticationDate":[1567687208.693936965],"isFromNewLogin":[true],"uid":["alice"]'
    cas.script = cas_scripts.reply(cas_responses.json_success(attributes={}).replace(b"{}", b"{" + facts + b"}"))
    id_token = met.hub.redeem(met.hub.extract_code(met.browser.sign_in(met.hub.authorization_url()))).json["id_token"]
    assert json.loads(base64.urlsafe_b64decode(id_token.split(".")[1] + "=="))["auth_time"] == 1567687208
