"""The allow-list: what the setting accepts, and the configuration of Squid."""

import pytest

from hub.config.field_types import SettingsError
from hub.config.network_settings import NetworkSettings
from hub.config.settings import FirewallSettings, load_settings
from hub.network.proxy import render_configuration


def settings(allowed: str, mode: str = "allowlist") -> NetworkSettings:
    environ = {"PROJECT_NAME": "p", "LAB_NETWORK": mode, "LAB_NETWORK_ALLOWED": allowed}
    return load_settings(environ, FirewallSettings).network


def test_port_443_is_the_default() -> None:
    assert settings("Packages.Example.org github.com:22").allowed == (("github.com", 22), ("packages.example.org", 443))


@pytest.mark.parametrize(
    "word",
    [
        *(
            "https://packages.example.org",
            "packages.example.org/simple",
            "packages.example.org:",
            "packages.example.org:0",
            "packages.example.org:65536",
            "packages.example.org,github.com",
        ),
        *(
            "192.168.1.1",
            "1.2.3.4:443",
            "0x7f.1",
            "[::1]:443",
            "localhost",
            "*",
            "*.org:x",
            "a.*.org",
            ".org",
            "-a.org",
        ),
        *("packages.example.org#", 'a"b.org', "packages.example.org;http_access", "exämple.org"),
    ],
)
def test_invalid_destination_is_rejected(word: str) -> None:
    with pytest.raises(SettingsError, match=r"LAB_NETWORK_ALLOWED is .* but must list host names"):
        settings(word)


def test_empty_allow_list_is_rejected() -> None:
    with pytest.raises(SettingsError, match="LAB_NETWORK is 'allowlist' but LAB_NETWORK_ALLOWED lists no host"):
        settings("")


def test_hosts_are_allowed_at_their_ports_only() -> None:
    written = render_configuration(settings("packages.example.org git.example.org:8443"))
    assert "acl hosts_443 dstdomain -n packages.example.org\n" in written
    assert "acl hosts_8443 dstdomain -n git.example.org\n" in written
    assert "acl allowed any-of allowed_443 allowed_8443\n" in written


def test_hosts_below_a_listed_domain_are_left_out() -> None:
    written = render_configuration(settings("*.example.org example.org a.example.org *.b.example.org aexample.org"))
    assert "dstdomain -n .example.org aexample.org\n" in written


def test_names_are_compared_before_they_are_resolved() -> None:
    written = render_configuration(settings("packages.example.org"))
    assert written.index("deny !allowed") < written.index("deny private") < written.index("allow labs")


def test_labs_are_configured_for_the_proxy() -> None:
    environment = settings("packages.example.org").proxy_environment
    assert environment["HTTPS_PROXY"] == environment["http_proxy"] == "http://egress-proxy:3128"
    assert "hub" in environment["NO_PROXY"].split(",")


def test_other_modes_use_no_proxy() -> None:
    assert settings("packages.example.org", "internet").proxy_environment == {}
