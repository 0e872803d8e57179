"""CAS endpoints and requests in each protocol (cas.md §1.1 and §1.8)."""

from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest

from bridge.cas.endpoints import CasEndpoints, ValidationRequest
from bridge.settings import load

SERVICE = "https://auth.localhost/cas/callback?state=Zm9v_-1"
USUAL = CasEndpoints.from_base_url("https://cas.localhost/cas")


def query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query, strict_parsing=True)


def configured(**settings: str) -> CasEndpoints:
    usual = {
        "PASSERELLE_ISSUER": "https://auth.localhost",
        "PASSERELLE_CAS_URL": "https://cas.localhost/cas",
        "PASSERELLE_SECRET_KEY": "long enough for a test",
    }
    return CasEndpoints.from_settings(
        load(usual | {f"PASSERELLE_{name.upper()}": value for name, value in settings.items()})
    )


def asked(addresses: CasEndpoints, ticket: str = "ST-1", **how: Any) -> ValidationRequest:
    return addresses.validation_request(
        SERVICE, ticket, **{"renew": False, "now": 1_790_000_000, "request_id": "0a1b", **how}
    )


def test_service_url_is_one_encoded_parameter() -> None:
    url = USUAL.login_url(SERVICE)
    assert url.startswith("https://cas.localhost/cas/login?service=https%3A%2F%2Fauth.localhost%2F")
    assert query(url) == {"service": [SERVICE]}


@pytest.mark.parametrize("base", ["https://cas.localhost/cas", "https://cas.localhost/cas/"])
def test_base_url_path_is_kept(base: str) -> None:
    addresses = CasEndpoints.from_base_url(base)
    assert urlsplit(addresses.login_url(SERVICE)).path == "/cas/login"
    assert urlsplit(addresses.logout_url()).path == "/cas/logout"
    assert urlsplit(asked(addresses).url).path == "/cas/p3/serviceValidate"


def test_login_url_has_renew_gateway_and_locale() -> None:
    assert query(USUAL.login_url(SERVICE, renew=True))["renew"] == ["true"]
    assert query(USUAL.login_url(SERVICE, gateway=True))["gateway"] == ["true"]
    assert query(USUAL.login_url(SERVICE, locale="fr&x=1"))["locale"] == ["fr&x=1"]


def test_renew_wins_over_gateway() -> None:
    wanted = query(USUAL.login_url(SERVICE, renew=True, gateway=True))
    assert "renew" in wanted
    assert "gateway" not in wanted


@pytest.mark.parametrize("protocol", ["3.0", "2.0", "1.0", "saml1.1"])
def test_renew_is_repeated_at_validation(protocol: str) -> None:
    addresses = configured(cas_protocol=protocol)
    assert query(asked(addresses, renew=True).url)["renew"] == ["true"]
    assert "renew" not in query(asked(addresses).url)


@pytest.mark.parametrize(
    ("protocol", "path"),
    [("3.0", "/cas/p3/serviceValidate"), ("2.0", "/cas/serviceValidate"), ("1.0", "/cas/validate")],
)
def test_each_protocol_has_its_validation_endpoint(protocol: str, path: str) -> None:
    question = asked(configured(cas_protocol=protocol))
    assert urlsplit(question.url).path == path
    assert query(question.url) == {"service": [SERVICE], "ticket": ["ST-1"]}
    assert question.body is None


def test_saml_ticket_is_only_in_the_post_body() -> None:
    question = asked(configured(cas_protocol="saml1.1"), "ST-secret")
    assert urlsplit(question.url).path == "/cas/samlValidate"
    assert query(question.url) == {"TARGET": [SERVICE]}
    assert question.body is not None
    request = ElementTree.fromstring(question.body)[1][0]
    assert request.tag == "{urn:oasis:names:tc:SAML:1.0:protocol}Request"
    assert request.get("RequestID") == "_0a1b"
    assert request.get("IssueInstant") == "2026-09-21T14:13:20Z"
    assert [element.text for element in request] == ["ST-secret"]
    assert question.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert "secret" not in repr(question)


def test_saml_request_escapes_markup() -> None:
    """check_ticket rejects such tickets; escaping is the second line of defence."""
    hostile = "ST-1</samlp:AssertionArtifact><x a='b'>&\""
    body = asked(configured(cas_protocol="saml1.1"), hostile).body
    assert body is not None
    assert [element.text for element in ElementTree.fromstring(body)[1][0]] == [hostile]


def test_json_is_requested_by_parameter_and_header() -> None:
    question = asked(configured(cas_format="json"))
    assert query(question.url)["format"] == ["JSON"]
    assert question.headers["Accept"].startswith("application/json")


def test_extra_parameters_are_encoded_values() -> None:
    addresses = configured(
        cas_login_parameters='{"authn_method": "mfa duo&x=1", "locale": "de"}',
        cas_validate_parameters='{"assurance": "high"}',
    )
    assert query(addresses.login_url(SERVICE)) == {
        "service": [SERVICE],
        "authn_method": ["mfa duo&x=1"],
        "locale": ["de"],
    }
    assert query(addresses.login_url(SERVICE, locale="fr"))["locale"] == ["fr"], "what the application asks wins"
    assert query(asked(addresses).url) == {"service": [SERVICE], "ticket": ["ST-1"], "assurance": ["high"]}


def test_endpoint_url_may_have_a_query() -> None:
    addresses = configured(
        cas_login_url="https://login.example.org/idp/cas?realm=a",
        cas_validate_url="http://cas.internal:8080/check/",
        cas_logout_url="https://login.example.org/bye",
        cas_protocol="2.0",
    )
    assert addresses.login_url(SERVICE).startswith("https://login.example.org/idp/cas?realm=a&service=https%3A")
    assert asked(addresses).url.startswith("http://cas.internal:8080/check/?service=https%3A")
    assert addresses.logout_url() == "https://login.example.org/bye"
    assert addresses.logout_url("https://a/b").startswith("https://login.example.org/bye?service=https%3A")


def test_internal_url_is_used_only_for_validation() -> None:
    addresses = configured(cas_internal_url="http://cas:8080/cas/")
    assert asked(addresses).url.startswith("http://cas:8080/cas/p3/serviceValidate?")
    assert addresses.login_url(SERVICE).startswith("https://cas.localhost/cas/login?")
    assert addresses.logout_url().startswith("https://cas.localhost/cas/logout")
