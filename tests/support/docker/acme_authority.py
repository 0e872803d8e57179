"""A real ACME authority (Pebble) in a container on the network `edge` of a deployment.

Like Let's Encrypt, it validates host names at ports 80 and 443. On that network Traefik listens there.
"""

import json
import shutil
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.machine import status
from tests.support.docker.deployment import Deployment

NAME = "authority.example"
LIFETIME = 900  # seconds; shorter than the 20 minutes before expiry at which Traefik renews
SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
OVERRIDE = """\
services:
  traefik:
    networks: {{edge: {{aliases: [{hosts}]}}, labs: {{}}}}
  authority:
    image: ${{PYTHON_IMAGE}}
    entrypoint: [/authority/pebble, -config, /authority/config.json]
    environment: {{PEBBLE_VA_NOSLEEP: "1"}}
    networks: {{edge: {{aliases: [{name}]}}}}
    volumes: ["./authority:/authority:ro"]
    healthcheck:
      test: [CMD, python, -c, "import socket; socket.create_connection(('127.0.0.1', 15000))"]
      interval: 1s
      retries: 60
"""


@dataclass(frozen=True)
class AcmeAuthority:
    """The ACME authority of one deployment; `hosts` resolve to Traefik for its challenges."""

    deployment: Deployment
    hosts: list[str]

    @property
    def settings(self) -> dict[str, str]:
        """The settings that make the deployment use this authority."""
        return {
            "COMPOSE_FILE": "compose.yml:authority.yml",
            "ACME_EMAIL": "hostmaster@example.org",
            "ACME_CA_SERVER": f"https://{NAME}:14000/dir",
            "ACME_CA_FILE": "./authority/ca.crt",
            "ACME_CERT_HOURS": "1",
        }

    def prepare(self) -> None:
        """Write the program, its certificate and settings, and the compose override."""
        folder = self.deployment.folder / "authority"
        folder.mkdir()
        program = status.pebble_program()
        assert program
        shutil.copy2(program, folder / "pebble")
        write_server_certificate(folder)
        config = {
            "listenAddress": "0.0.0.0:14000",
            "managementListenAddress": "0.0.0.0:15000",
            "certificate": "/authority/server.crt",
            "privateKey": "/authority/server.key",
            "httpPort": 80,
            "tlsPort": 443,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
            "profiles": {"default": {"description": "short", "validityPeriod": LIFETIME}},
        }
        (folder / "config.json").write_text(json.dumps({"pebble": config}))
        override = OVERRIDE.format(hosts=", ".join(self.hosts), name=NAME)
        (self.deployment.folder / "authority.yml").write_text(override)

    def trust_context(self) -> ssl.SSLContext:
        """Return a client context that trusts only this authority."""
        code = (
            "import ssl, urllib.request as r\n"
            f"trust = ssl.create_default_context(cafile='/authority/ca.crt')\n"
            f"print(r.urlopen('https://{NAME}:15000/roots/0', context=trust).read().decode())"
        )
        root = self.deployment.docker("exec", self.deployment.container("authority"), "python", "-c", code)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=root)
        return context

    def log(self) -> str:
        """Return the log of the authority."""
        return self.deployment.compose("logs", "authority", changed=self.settings).stdout


def write_server_certificate(folder: Path) -> None:
    """Write the certificate of the authority's own server, and the root (ca.crt) that issued it."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test ACME root")])
    now = datetime.now(UTC)

    def builder(subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(root_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=2))
        )

    root = (
        builder(root_name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(SIGNS_CERTIFICATES, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    server = (
        builder(x509.Name([]), key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
            critical=False,
        )
        .sign(root_key, hashes.SHA256())
    )
    (folder / "ca.crt").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (folder / "server.crt").write_bytes(server.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
