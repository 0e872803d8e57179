"""`check_cas` against servers that respond as Keycloak's plug-in, Jasig CAS 3 and Apereo CAS 5 do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from bridge.check.cas_server import check_cas
from bridge.check.findings import Finding
from bridge.check.login_page import evaluate_renew
from bridge.check.probe import ProbeClient
from bridge.settings import Settings
from tests.support.bridge.check_values import response
from tests.support.bridge.checked_site import CheckedCas
from tests.support.cas import cas_responses, cas_xml
from tests.support.cas.scripted_cas import JSON, Exchange

ISSUER = "https://auth.example.org"
TICKET = "ST-passerelle-check-0123456789abcdef0123456789abcdef"


@pytest.fixture
def cas() -> Iterator[CheckedCas]:
    with CheckedCas() as cas:
        cas.registered = f"{ISSUER}/cas/callback"
        yield cas


def protocol_finding(url: str, **settings: str) -> Finding:
    given = {"issuer": ISSUER, "cas_url": url, "secret_key": SecretStr("0123456789abcdef"), **settings}
    found = check_cas(Settings(**given), ProbeClient(), TICKET, 1_800_000_000.0)
    return next(one for one in found if one.id in ("cas.protocol", "cas.redirect"))


def keycloak(exchange: Exchange) -> None:
    """Reject with status 400, except for SAML."""
    request = exchange.request_seen
    if request.path == "/cas/samlValidate":
        exchange.reply(cas_responses.saml_failure("Code not valid"))
    elif request.path == "/cas/validate":
        exchange.reply(b"no\n", status=400)
    elif request.value("format") == "JSON":
        exchange.reply(cas_xml.KEYCLOAK_FAILURE_JSON, status=400, headers=JSON)
    else:
        exchange.reply(cas_xml.KEYCLOAK_UNKNOWN_FORM, status=400)


def test_keycloak_is_ok_and_keeps_protocol_3(cas: CheckedCas) -> None:
    cas.script = keycloak
    found = protocol_finding(cas.url)
    assert found.level == "ok"
    assert "also supported: 2.0, saml1.1, 1.0, JSON" in found.seen


class JasigCas(CheckedCas):
    """Redirects each unknown path to the login page."""

    def answer(self, exchange: Exchange) -> None:
        if exchange.request_seen.path in ("/cas/login", "/cas/serviceValidate", "/cas/samlValidate", "/cas/validate"):
            super().answer(exchange)
        else:
            exchange.reply(b"", status=302, headers={"Location": "/cas/login;jsessionid=1A"})


@pytest.fixture
def jasig() -> Iterator[JasigCas]:
    with JasigCas() as cas:
        yield cas


def test_jasig_3_gets_its_protocol_named(jasig: JasigCas) -> None:
    found = protocol_finding(jasig.url)
    assert (found.id, found.level) == ("cas.protocol", "FAULT")
    assert "PASSERELLE_CAS_PROTOCOL=2.0" in found.do
    assert "saml1.1" in found.do


def test_wrong_path_below_jasig_does_not_advise_its_login_page(jasig: JasigCas) -> None:
    assert protocol_finding(f"{jasig.url}/wrong").do == f"Set PASSERELLE_CAS_URL={jasig.url}"


def test_validate_url_at_a_missing_path_is_removed(jasig: JasigCas) -> None:
    found = protocol_finding(jasig.url, cas_validate_url=f"{jasig.url}/p3/serviceValidate")
    assert "Remove PASSERELLE_CAS_VALIDATE_URL and set PASSERELLE_CAS_PROTOCOL=2.0" in found.do


def test_redirect_to_a_server_without_cas_is_not_advised(cas: CheckedCas) -> None:
    with CheckedCas() as portal:
        portal.paths = set()
        cas.redirects_to = portal.url
        found = protocol_finding(cas.url)
    assert found.id == "cas.redirect"
    assert portal.url not in found.do


def test_redirect_to_another_cas_is_advised(cas: CheckedCas) -> None:
    with CheckedCas() as moved:
        cas.redirects_to = moved.url
        assert protocol_finding(cas.url).do == f"Set PASSERELLE_CAS_URL={moved.url}"


@pytest.mark.parametrize(
    ("footer", "is_found"),
    [
        (b"Powered by <a href='/'>Jasig Central Authentication Service 4.2.7</a>", True),
        (b"Apereo Central Authentication\n Service 4.2.1.", True),
        (b"Jasig Central Authentication Service 3.5.2", False),
        (b"Apereo Central Authentication Service 6.6.4", False),
        (b"", False),
    ],
)
def test_release_that_rejects_renew_is_found(footer: bytes, is_found: bool) -> None:
    found = evaluate_renew(response(body=b"<html><body>" + footer + b"</body></html>"))
    assert [(one.id, one.level) for one in found] == [("cas.renew", "warning")] * is_found


@pytest.mark.parametrize("protocol", ["3.0", "2.0"])
def test_malformed_xml_beside_good_json_suggests_json(cas: CheckedCas, protocol: str) -> None:
    def script(exchange: Exchange) -> None:
        if exchange.request_seen.value("format") == "JSON":
            cas.validate(exchange)
        else:
            exchange.reply(cas_xml.failure("INVALID_TICKET").replace(b"reason", b"reason & more"))

    cas.script = script
    assert protocol_finding(cas.url, cas_protocol=protocol).do == "Set PASSERELLE_CAS_FORMAT=json"
