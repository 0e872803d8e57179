"""Ticket validation through an HTTP proxy on loopback: what the proxy sees, and its errors."""

import base64
from pathlib import Path

import pytest

from bridge.cas.client import CasClient
from bridge.cas.endpoints import CasEndpoints
from bridge.errors import UpstreamError, UpstreamMalformed, UpstreamTimeout, UpstreamUnreachable
from tests.support.bridge.http_proxy import HttpProxy
from tests.support.bridge.live_bridge import free_port
from tests.support.cas import cas_scripts as scripts
from tests.support.cas import cas_xml
from tests.support.cas.scripted_cas import ScriptedCas
from tests.support.certificates import server_context, write_certificate

SERVICE = "https://auth.localhost/cas/callback?state=Zm9v_-1"
LOGIN = "bridge:s3cret/with@signs"
AS_URL = "bridge:s3cret%2Fwith%40signs@"
LIMIT = 0.5
"""Timeouts of these tests in seconds."""


def through(proxy: HttpProxy, url: str, *, login: str = "", ca_file: Path | None = None) -> CasClient:
    return CasClient(
        url,
        proxy=proxy.url.replace("http://", f"http://{login}"),
        ca_file=None if ca_file is None else str(ca_file),
        connect_timeout=LIMIT,
        read_timeout=LIMIT,
    )


def refusal(client: CasClient, kind: type[UpstreamError]) -> str:
    """Validate a ticket; expect this error, without secrets in its text."""
    with pytest.raises(kind) as caught:
        client.validate(SERVICE, "ST-secret")
    assert type(caught.value) is kind
    assert not [word for word in ("secret", "s3cret", "bridge:", "Zm9v") if word in caught.value.detail]
    return caught.value.detail


@pytest.fixture
def tls(tmp_path: Path) -> Path:
    """Create a self-signed certificate for localhost."""
    write_certificate(tmp_path, ["localhost"])
    return tmp_path


@pytest.mark.parametrize(("login", "as_url"), [(None, ""), (LOGIN, AS_URL)], ids=["open", "with-password"])
def test_plain_http_proxy_gets_absolute_urls(login: str | None, as_url: str) -> None:
    with ScriptedCas() as cas, HttpProxy(login=login) as proxy:
        client = through(proxy, cas.url, login=as_url)
        for _ in range(3):
            assert client.validate(SERVICE, cas.issue_ticket(SERVICE)).user == "alice"
        client.close()
    assert len(proxy.passages) == 3
    assert all(passage.target.startswith(f"{cas.url}/p3/serviceValidate?service=") for passage in proxy.passages)
    assert all(passage.headers["host"] == f"127.0.0.1:{cas.port}" for passage in proxy.passages)
    assert all("proxy-authorization" not in seen.headers for seen in cas.validations), (
        "the password is the proxy's alone"
    )


@pytest.mark.parametrize(("login", "as_url"), [(None, ""), (LOGIN, AS_URL)], ids=["open", "with-password"])
def test_https_proxy_tunnel_shows_only_the_host_cas11(tls: Path, login: str | None, as_url: str) -> None:
    with ScriptedCas(tls=server_context(tls)) as cas, HttpProxy(login=login) as proxy:
        client = through(proxy, f"https://localhost:{cas.port}/cas", login=as_url, ca_file=tls / "server.crt")
        for _ in range(3):
            assert client.validate(SERVICE, cas.issue_ticket(SERVICE)).user == "alice"
        client.close()
    (passage,) = proxy.passages  # the tunnel is reused like any connection
    assert (passage.method, passage.target) == ("CONNECT", f"localhost:{cas.port}")
    wanted = {} if login is None else {"proxy-authorization": f"Basic {base64.b64encode(LOGIN.encode()).decode()}"}
    assert passage.headers == {"host": f"localhost:{cas.port}", "user-agent": "Passerelle", **wanted}
    assert all("proxy-authorization" not in seen.headers for seen in cas.validations)


def test_saml_posts_through_proxy(tls: Path) -> None:
    body = b""
    for context in (None, server_context(tls)):
        with ScriptedCas(tls=context) as cas, HttpProxy() as proxy:
            base = f"https://localhost:{cas.port}/cas" if context else cas.url
            client = CasClient(
                CasEndpoints.from_base_url(base, protocol="saml1.1"),
                proxy=proxy.url,
                ca_file=str(tls / "server.crt") if context else None,
            )
            assert client.validate(SERVICE, cas.issue_ticket(SERVICE)).user == "alice"
            client.close()
            body += cas.validations[0].body
    assert body.count(b"<samlp:AssertionArtifact>ST-") == 2


def test_tls_intercepting_proxy_is_rejected_cas11(tls: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Some proxies intercept TLS with their own certificate, which must be configured to be accepted."""
    other = tmp_path_factory.mktemp("inspecting")
    write_certificate(other, ["localhost"])
    with ScriptedCas(tls=server_context(other)) as inspecting, HttpProxy() as proxy:
        url = f"https://localhost:{inspecting.port}/cas"
        assert "not trusted" in refusal(through(proxy, url, ca_file=tls / "server.crt"), UpstreamUnreachable)
        assert not inspecting.requests, "the ticket must not reach the intercepting proxy"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("login", ["", "bridge:wrong@"], ids=["none", "wrong"])
def test_proxy_authentication_error_hides_password(scheme: str, login: str) -> None:
    with ScriptedCas() as cas, HttpProxy(login=LOGIN) as proxy:
        client = through(proxy, f"{scheme}://127.0.0.1:{cas.port}/cas", login=login)
        detail = refusal(client, UpstreamUnreachable)
        assert f"the proxy {proxy.url}" in detail
        assert "407" in detail
        assert "password" in detail
        assert "wrong" not in detail
        assert not cas.requests


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_cas_unreachable_behind_proxy_is_reported(scheme: str) -> None:
    with HttpProxy() as proxy:
        detail = refusal(through(proxy, f"{scheme}://127.0.0.1:{free_port()}/cas"), UpstreamUnreachable)
        assert f"the proxy {proxy.url}" in detail
        assert "502" in detail


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_that_is_down_is_reported(scheme: str) -> None:
    port = free_port()
    client = CasClient(f"{scheme}://cas.example/cas", proxy=f"http://bridge:s3cret@127.0.0.1:{port}")
    assert f"through the proxy http://127.0.0.1:{port}" in refusal(client, UpstreamUnreachable)


@pytest.mark.parametrize(
    ("raw", "hangs", "kind"),
    [
        pytest.param(b"", False, UpstreamUnreachable, id="hangs-up"),
        pytest.param(b"", True, UpstreamTimeout, id="cas09-never-answers"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", True, UpstreamTimeout, id="cas09-never-ends"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", False, UpstreamUnreachable, id="no-http"),
        pytest.param(b"HTTP/1.1 abc\r\n\r\n", False, UpstreamUnreachable, id="no-status"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + b"HTTP/1.1 200 OK", False, UpstreamUnreachable, id="says-more"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", False, UpstreamUnreachable, id="opens-and-closes"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", True, UpstreamTimeout, id="cas09-opens-and-is-silent"),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: //x\r\n\r\n", False, UpstreamUnreachable, id="redirects"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, True, UpstreamUnreachable, id="cas09-long-header"),
    ],
)
def test_tunnel_timeout_is_enforced(raw: bytes, hangs: bool, kind: type[UpstreamError]) -> None:
    with HttpProxy(raw=raw, hangs=hangs) as proxy:
        assert f"proxy {proxy.url}" in refusal(through(proxy, "https://cas.example/cas"), kind)


def test_invalid_proxy_response_is_rejected() -> None:
    with HttpProxy(raw=b"SSH-2.0-OpenSSH_9.2\r\n\r\n") as proxy:
        assert f"proxy {proxy.url}" in refusal(through(proxy, "http://cas.example/cas"), UpstreamMalformed)


def test_timeout_applies_through_tunnel_cas9(tls: Path) -> None:
    with ScriptedCas(tls=server_context(tls)) as cas, HttpProxy() as proxy:
        cas.script = scripts.dribbles_body(cas_xml.success(), every=0.05)
        client = through(proxy, f"https://localhost:{cas.port}/cas", ca_file=tls / "server.crt")
        refusal(client, UpstreamTimeout)
