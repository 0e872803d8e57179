"""Redirect URIs that may be registered (RFC 9700 §2.1, RFC 8252 §7)."""

from __future__ import annotations

import pytest

from bridge.settings.urls import is_loopback, redirect_uri_fault


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example.org/cb",
        "https://app.example.org:8443/cb?tenant=a%20b",
        "https://app.example.org",
        "https://app.example.org/a,b;c",
        "https://app.example.org/cb?else=x,https://b.example.org/",
        "http://localhost:3000/cb",
        "http://jupyter.localhost/cb",
        "http://127.0.0.1/cb",
        "http://127.8.9.10:1/",
        "http://[::1]/cb",
        "org.example.app:/cb",
        "org.example.app:///cb",
        "org.example.app://cb",
        "org.example.app://host/cb",
    ],
)
def test_valid_redirect_uris(uri: str) -> None:
    assert redirect_uri_fault(uri) is None


@pytest.mark.parametrize(
    "uri",
    [
        "http://app.example.org/cb",
        "http://10.0.0.1/cb",
        "http://127.0.0.1.nip.io/cb",
        "http://localhost@evil.example/cb",
        "https://user:pw@app.example.org/cb",
        "https://app.example.org/cb#",
        "https://app.example.org/cb#x",
        "https://*.example.org/cb",
        "https://app.example.org/*",
        "https://app.example.org/a b",
        "https://app.example.org/\n",
        "https://app.example.org\\@evil.example",
        "https://äpp.example.org/cb",
        "https:///cb",
        "https:",
        "//app.example.org/cb",
        "/cb",
        "cb",
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "app:/cb",
        "org.example.app:",
        "org.example.app://user:pw@cb",
        "ftp://app.example.org/",
        "https://app.example.org:port/",
        "https://[::1",
        "urn:ietf:wg:oauth:2.0:oob",
        "http://[::ffff:8.8.8.8]/cb",
        "https://app.example.org/cb,https://b.example.org/cb",
        "https://app.example.org/cb;http://localhost/cb",
    ],
)
def test_invalid_redirect_uris_row3(uri: str) -> None:
    assert redirect_uri_fault(uri)


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_loopback_hosts(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", [None, "", "localhost.", "notlocalhost", "localhost.example", "0.0.0.0", "128.0.0.1", "::"]
)
def test_other_hosts_are_not_loopback(host: str | None) -> None:
    assert not is_loopback(host)
