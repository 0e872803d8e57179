"""Verification of the CAS certificate (cas.md case 11), with authorities created for the test."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import create_server

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridge.cas.client import CasClient
from bridge.errors import ConfigurationError, UpstreamTimeout, UpstreamUnreachable
from tests.support.cas import cas_scripts as scripts
from tests.support.cas import cas_xml
from tests.support.cas.scripted_cas import ScriptedCas

SERVICE = "https://auth.localhost/cas/callback?state=a"
Issue = Callable[..., tuple[Path, ssl.SSLContext]]


def certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, signing_key: ec.EllipticCurvePrivateKey, days: int
) -> x509.Certificate:
    """Create a certificate like those of private authorities: without key identifiers and key usage."""

    def common(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(common(name))
        .issuer_name(common(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=name == issuer, path_length=None), critical=True)
    )
    if name != issuer:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(signing_key, hashes.SHA256())


@pytest.fixture
def issue(tmp_path: Path) -> Issue:
    """Create a CA file, and a server context with a certificate that it signed."""

    def issue(host: str, *, days: int = 30) -> tuple[Path, ssl.SSLContext]:
        ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ca_file, chain, key_file = (tmp_path / f"{host}-{name}.pem" for name in ("ca", "server", "key"))
        pem = serialization.Encoding.PEM
        ca_file.write_bytes(certificate("Test CA", ca_key, "Test CA", ca_key, 30).public_bytes(pem))
        chain.write_bytes(certificate(host, key, "Test CA", ca_key, days).public_bytes(pem))
        key_file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key_file)
        return ca_file, context

    return issue


@contextmanager
def upstream(context: ssl.SSLContext) -> Iterator[tuple[ScriptedCas, str]]:
    with ScriptedCas(tls=context) as cas:
        yield cas, f"https://localhost:{cas.port}/cas"


def test_ca_file_accepts_private_certificate_cas11(issue: Issue) -> None:
    ca_file, context = issue("localhost")
    with upstream(context) as (cas, url):
        client = CasClient(url, ca_file=str(ca_file))
        for _ in range(3):  # including the idle connection
            assert client.validate(SERVICE, cas.issue_ticket(SERVICE)).user == "alice"
        client.close()


def refused(cas: ScriptedCas, client: CasClient) -> str:
    with pytest.raises(UpstreamUnreachable) as caught:
        client.validate(SERVICE, "ST-secret")
    assert not cas.requests, "the ticket must not be sent to a server that is not who it should be"
    assert "not trusted" in caught.value.detail
    assert "secret" not in caught.value.detail
    return caught.value.detail


def test_unknown_authority_names_the_ca_file_setting_cas11(issue: Issue) -> None:
    _, context = issue("localhost")
    with upstream(context) as (cas, url):
        assert "cas_ca_file" in refused(cas, CasClient(url))


def test_certificate_of_other_authority_is_rejected(issue: Issue, tmp_path: Path) -> None:
    _, context = issue("localhost")
    other_ca, _ = issue("other.example")
    with upstream(context) as (cas, url):
        refused(cas, CasClient(url, ca_file=str(other_ca)))


def test_certificate_for_other_host_is_rejected_cas11(issue: Issue) -> None:
    ca_file, context = issue("elsewhere.example")
    with upstream(context) as (cas, url):
        assert "localhost" in refused(cas, CasClient(url, ca_file=str(ca_file)))


def test_expired_certificate_is_rejected(issue: Issue) -> None:
    ca_file, context = issue("localhost", days=-1)
    with upstream(context) as (cas, url):
        assert "expired" in refused(cas, CasClient(url, ca_file=str(ca_file)))


def test_timeout_applies_over_tls(issue: Issue) -> None:
    ca_file, context = issue("localhost")
    with upstream(context) as (cas, url):
        cas.script = scripts.dribbles_headers(cas_xml.success(), every=0.05)
        client = CasClient(url, ca_file=str(ca_file), read_timeout=0.3)
        with pytest.raises(UpstreamTimeout):
            client.validate(SERVICE, "ST-1")


def test_silent_tls_handshake_times_out() -> None:
    with create_server(("127.0.0.1", 0)) as silent:
        client = CasClient(f"https://127.0.0.1:{silent.getsockname()[1]}/cas", connect_timeout=0.3)
        with pytest.raises(UpstreamTimeout):
            client.validate(SERVICE, "ST-1")


def test_plain_http_at_https_port_is_rejected() -> None:
    with create_server(("127.0.0.1", 0)) as plain:

        def answer() -> None:
            with plain.accept()[0] as connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        client = CasClient(f"https://127.0.0.1:{plain.getsockname()[1]}/cas", connect_timeout=5)
        with pytest.raises(UpstreamUnreachable):
            client.validate(SERVICE, "ST-1")
        thread.join()


@pytest.mark.parametrize("content", [None, "", "not PEM"])
def test_unusable_ca_file_is_a_configuration_error(content: str | None, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        CasClient("https://cas.localhost/cas", ca_file=str(ca_file))
    assert str(ca_file) in str(caught.value)
