"""Certificates from a real ACME authority with both challenges, for a client that trusts only that authority.

Only Traefik and the bridge are started. The tests depend on each other in this order.
"""

import os
import socket
import ssl
from collections.abc import Iterator

import pytest
from cryptography import x509

from tests.support.docker.acme_authority import AcmeAuthority
from tests.support.docker.deployment import Deployment, clean_clone, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.needs("engine", "images", "acme")]

HOSTS = HUB, AUTH, LAB = "jupyter.example.org", "auth.example.org", "labs.example.org"
PRODUCTION = {
    "HUB_HOST": HUB,
    "AUTH_HOST": AUTH,
    "LAB_HOST": LAB,
    "COMPOSE_PROFILES": "",
    "CAS_HOST": "",
    "CAS_INTERNAL_URL": "",
    "CAS_URL": "https://sso.example.org/cas",
}
EDGE = ("traefik", "bridge", "certificates")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = clean_clone(tmp_path_factory.mktemp("clone"))
    ours = Deployment(folder, f"passerelle-acme-{os.getpid()}", http_port=free_port(0), https_port=free_port(0))
    try:
        yield ours
    finally:
        ours.remove()


@pytest.fixture(scope="module")
def authority(deployment: Deployment) -> AcmeAuthority:
    ours = AcmeAuthority(deployment, list(HOSTS))
    ours.prepare()
    return ours


def up(deployment: Deployment, authority: AcmeAuthority, *services: str, challenge: str = "http") -> None:
    changed = PRODUCTION | authority.settings | {"ACME_CHALLENGE": challenge}
    deployment.compose("up", "--detach", "--wait", *services, changed=changed)


def connect(deployment: Deployment, host: str, trust: ssl.SSLContext) -> ssl.SSLSocket:
    """Connect and verify that the certificate is for this host and from this authority."""
    return trust.wrap_socket(
        socket.create_connection(("127.0.0.1", deployment.https_port), timeout=10), server_hostname=host
    )


def certificate(deployment: Deployment, host: str, trust: ssl.SSLContext) -> x509.Certificate:
    with connect(deployment, host, trust) as connection:
        shown = connection.getpeercert(binary_form=True)
    assert shown
    return x509.load_der_x509_certificate(shown)


def is_trusted(deployment: Deployment, host: str, trust: ssl.SSLContext) -> bool:
    try:
        connect(deployment, host, trust).close()
    except OSError:  # an untrusted certificate, or a Traefik that is starting
        return False
    return True


def storage_permissions(deployment: Deployment) -> str:
    """Return mode and owner of Traefik's ACME storage."""
    stores = ("/acme/http-http.json", "/acme/tls-http.json")
    return deployment.docker("exec", deployment.container("traefik"), "stat", "-c", "%a %U", *stores)


def test_self_signed_certificate_while_authority_is_down(deployment: Deployment, authority: AcmeAuthority) -> None:
    up(deployment, authority, *EDGE)
    deployment.wait(lambda: "authority.example" in deployment.compose("logs", "traefik").stdout, "failed request")
    assert deployment.get(AUTH, "/healthz").status == 200
    said = deployment.compose("logs", "prepare").stdout
    assert "requested from https://authority.example:14000/dir with the http challenge; self-signed until" in said


def test_http_challenge_issues_for_every_host(deployment: Deployment, authority: AcmeAuthority) -> None:
    up(deployment, authority, "authority")
    trust = authority.trust_context()
    assert not is_trusted(deployment, AUTH, trust)
    deployment.compose("restart", "traefik")
    for host in HOSTS:
        deployment.wait(lambda: is_trusted(deployment, host, trust), f"certificate for {host}")  # noqa: B023
    with connect(deployment, AUTH, trust) as client:
        client.sendall(f"GET /healthz HTTP/1.1\r\nHost: {AUTH}\r\nConnection: close\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    for host in HOSTS:
        assert f"validate w/ HTTP: http://{host}:80/" in authority.log()


def test_acme_storage_is_private(deployment: Deployment) -> None:
    assert storage_permissions(deployment).splitlines() == ["600 root"] * 2


def test_only_challenges_are_served_over_http(deployment: Deployment) -> None:
    assert deployment.get(HUB, "/.well-known/acme-challenge/unknown", plain=True).status == 404
    assert deployment.get(HUB, "/hub/", plain=True).status == 301


def test_tls_challenge_issues_for_every_host(deployment: Deployment, authority: AcmeAuthority) -> None:
    trust = authority.trust_context()
    before = {host: certificate(deployment, host, trust).serial_number for host in HOSTS}
    http_requests, validated = count_log_entries(authority)
    up(deployment, authority, *EDGE, challenge="tls")
    for host in HOSTS:
        deployment.wait(lambda: is_trusted(deployment, host, trust), f"certificate for {host}")  # noqa: B023
        assert certificate(deployment, host, trust).serial_number != before[host]
    # The authority does not log TLS challenges; it logs HTTP requests and validated names.
    assert count_log_entries(authority) == (http_requests, validated + len(HOSTS))


def count_log_entries(authority: AcmeAuthority) -> tuple[int, int]:
    said = authority.log()
    return said.count("Attempting to validate w/ HTTP"), said.count("set VALID by completed challenge")


def test_renewal_keeps_open_connections(deployment: Deployment, authority: AcmeAuthority) -> None:
    trust = authority.trust_context()
    before = {host: certificate(deployment, host, trust).serial_number for host in HOSTS}
    with connect(deployment, AUTH, trust) as kept:
        for host, serial in before.items():
            deployment.wait(
                lambda: certificate(deployment, host, trust).serial_number != serial,  # noqa: B023
                f"renewed certificate for {host}",
                seconds=120,
            )
        kept.sendall(f"GET /healthz HTTP/1.1\r\nHost: {AUTH}\r\nConnection: close\r\n\r\n".encode())
        assert kept.recv(100).startswith(b"HTTP/1.1 200")


def test_own_certificate_with_acme_stops_start(deployment: Deployment, authority: AcmeAuthority) -> None:
    for name in ("server.crt", "server.key"):
        (deployment.folder / "deployment" / "certs" / name).write_text("mine")
    changed = PRODUCTION | authority.settings
    done = deployment.compose("run", "--rm", "--no-deps", "prepare", check=False, changed=changed)
    assert done.returncode == 1
    assert "/certs/server.crt exists and ACME_EMAIL is set" in done.stderr
