"""CAS settings: protocol, endpoint URLs, extra parameters and proxy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.cas.client import CasClient
from tests.unit.bridge.settings.test_settings import faults, loaded


def test_cas_defaults() -> None:
    settings = loaded()
    assert (settings.cas_protocol, settings.cas_format, settings.cas_proxy) == ("3.0", "xml", None)
    assert settings.cas_login_parameters == settings.cas_validate_parameters == {}
    assert settings.cas_login_url is settings.cas_validate_url is settings.cas_logout_url is None


@pytest.mark.parametrize("name", ["3", "CAS3", "saml", "1.1"])
def test_unknown_protocol_lists_known_ones(name: str) -> None:
    (fault,) = faults(cas_protocol=name)
    assert fault.startswith("PASSERELLE_CAS_PROTOCOL: ")
    assert all(known in fault for known in ("3.0", "2.0", "1.0", "saml1.1"))


@pytest.mark.parametrize("protocol", ["1.0", "saml1.1"])
def test_json_requires_a_protocol_with_json(protocol: str) -> None:
    (fault,) = faults(cas_format="json", cas_protocol=protocol)
    assert fault.startswith("PASSERELLE_CAS_FORMAT: json requires cas_protocol 3.0 or 2.0")
    assert loaded(cas_format="json", cas_protocol="2.0").cas_format == "json"


@pytest.mark.parametrize("name", ["cas_login_url", "cas_validate_url", "cas_logout_url"])
@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sso.example.org/login", "must be a URL like"),
        ("ftp://sso.example.org/login", "must be a URL like"),
        ("https://me:secret@sso.example.org/login", "must not have a user name"),
        ("https://sso.example.org/login#x", "must not have"),
        ("https://sso.example.org/login?a=1#x", "character"),
        ("https://sso.example.org/login?a=b c", "character"),
        ("https://sso.example.org/login?a=é", "character"),
        ("https://sso.example.org/login?service=https://evil.example/", "must not have service"),
        ("https://sso.example.org/login?a=1&renew=true&ticket=ST-1", "must not have renew, ticket"),
        ("https://sso.example.org/login?TARGET=x", "must not have target"),
    ],
)
def test_invalid_endpoint_url_is_reported(name: str, url: str, says: str) -> None:
    (fault,) = faults({f"PASSERELLE_{name.upper()}": url})
    assert fault.startswith(f"PASSERELLE_{name.upper()}: ")
    assert says in fault
    assert "secret" not in fault


@pytest.mark.parametrize("url", ["https://sso.example.org/idp/profile/cas/login?realm=a", "http://cas:8080/validate/"])
def test_full_endpoint_url_is_kept(url: str) -> None:
    assert loaded(cas_validate_url=url).cas_validate_url == url


@pytest.mark.parametrize("name", ["cas_login_parameters", "cas_validate_parameters"])
@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"service": "https://evil.example/"}, "service: the bridge sends this parameter itself"),
        ({"Renew": "false"}, "Renew: the bridge sends this parameter itself"),
        ({"gateway": "true"}, "gateway: the bridge sends this parameter itself"),
        ({"method": "POST"}, "method: the bridge sends this parameter itself"),
        ({"pgtUrl": "https://evil.example/"}, "pgtUrl: the bridge sends this parameter itself"),
        ({"a b": "x"}, "has a name with characters other"),
        ({"": "x"}, "has a name with characters other"),
        ({"a&b=c": "x"}, "has a name with characters other"),
        ({"a": "x\r\ny"}, "a: exceeds 1024 characters or has control characters"),
        ({"a": "x" * 1025}, "a: exceeds 1024 characters"),
        ({"a": 1}, "string"),
        ([], "table"),
    ],
)
def test_invalid_parameter_is_reported(name: str, parameters: object, says: str) -> None:
    (fault,) = faults({f"PASSERELLE_{name.upper()}": json.dumps(parameters)})
    assert fault.startswith(f"PASSERELLE_{name.upper()}")
    assert says in fault


def test_parameters_come_from_toml_or_json(tmp_path: Path) -> None:
    toml = tmp_path / "passerelle.toml"
    toml.write_text('[cas_login_parameters]\nauthn_method = "mfa-duo"\n')
    settings = loaded(config=str(toml), cas_validate_parameters='{"assurance": "high"}')
    assert settings.cas_login_parameters == {"authn_method": "mfa-duo"}
    assert settings.cas_validate_parameters == {"assurance": "high"}
    (fault,) = faults(cas_login_parameters="authn_method=mfa-duo")
    assert fault == "PASSERELLE_CAS_LOGIN_PARAMETERS: is not valid JSON"


@pytest.mark.parametrize(
    "url",
    [
        "proxy.example.org:3128",
        "https://proxy.example.org:3128",
        "socks5://proxy.example.org:1080",
        "http://proxy.example.org",
        "http://:3128",
        "http://proxy.example.org:0",
        "http://proxy.example.org:99999",
        "http://proxy.example.org:3128/path",
        "http://proxy.example.org:3128?x",
        "http://me:s3cret/x@proxy.example.org:3128",
        "http://me:s3cret#x@proxy.example.org:3128",
        "http://me:s3cret é@proxy.example.org:3128",
        "http://me:s3cret%0d%0aX@proxy.example.org:3128",
        "http://me%3Ax:s3cret@proxy.example.org:3128",
        "http://me:s3cret%ff@proxy.example.org:3128",
    ],
)
def test_invalid_proxy_is_reported_without_password(url: str) -> None:
    (fault,) = faults(cas_proxy=url)
    assert fault.startswith("PASSERELLE_CAS_PROXY: ")
    assert "s3cret" not in fault


def test_proxy_may_come_from_a_file_and_is_hidden(tmp_path: Path) -> None:
    file = tmp_path / "proxy"
    file.write_text("http://bridge:s3cret@proxy.example.org:3128\n")
    settings = loaded(cas_proxy_file=str(file))
    assert settings.cas_proxy is not None
    assert settings.cas_proxy.get_secret_value() == "http://bridge:s3cret@proxy.example.org:3128"
    client = CasClient.from_settings(settings)
    assert "s3cret" not in repr(settings) + settings.model_dump_json() + repr(client._host) + str(client._host)


def test_environment_proxies_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert CasClient.from_settings(loaded())._host.proxy is None
