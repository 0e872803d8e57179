"""Reload of a changed certificate: a valid one is served, an invalid one is rejected with a log line."""

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deployment.edge import prepare
from deployment.edge.certificate import self_signed_pair

# As the scripts themselves import it: a script's folder is on its path, and no package is around it.
watch = __import__("watch")

SCRIPT = Path(prepare.__file__).with_name("watch.py")
NOW = datetime.now(UTC)
HOSTS = ("jupyter.example.org", "auth.example.org")
Give = Callable[[bytes, bytes], None]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    for folder in ("dynamic", "own"):
        (tmp_path / folder).mkdir()
    return {
        "SECRETS_DIR": str(tmp_path / "secrets"),
        "CERTS_DIR": str(tmp_path / "certs"),
        "TLS_HOSTS": ",".join(HOSTS),
        "OWN_CERT_FILE": str(tmp_path / "own" / "server.crt"),
        "OWN_KEY_FILE": str(tmp_path / "own" / "server.key"),
        "TRAEFIK_DYNAMIC_DIR": str(tmp_path / "dynamic"),
        "ALIVE_FILE": str(tmp_path / "alive"),
    }


@pytest.fixture
def give_own(tmp_path: Path) -> Give:
    def give(cert: bytes, key: bytes) -> None:
        (tmp_path / "own" / "server.crt").write_bytes(cert)
        (tmp_path / "own" / "server.key").write_bytes(key)

    return give


@pytest.fixture
def started(environ: dict[str, str], tmp_path: Path) -> "watch.Watch":
    """Return the watch after `prepare` has written certificate and routes."""
    assert prepare.main(environ) == 0
    return watch.Watch(watch.read_site(environ), tmp_path / "dynamic")


def served(environ: dict[str, str]) -> bytes:
    return (Path(environ["CERTS_DIR"]) / "server.pem").read_bytes()


def poll(watching: "watch.Watch", times: int = 3, now: datetime = NOW) -> list[str]:
    """Return the log lines of several polls."""
    return [line for _ in range(times) if (line := watching.poll(now))]


def routes_identity(environ: dict[str, str]) -> int:
    """Return the inode of the routes; Traefik reloads a new one."""
    return (Path(environ["TRAEFIK_DYNAMIC_DIR"]) / "routes.yml").stat().st_ino


def test_unchanged_files_cause_no_log_and_no_write(environ: dict[str, str], started: "watch.Watch") -> None:
    before = served(environ), routes_identity(environ)
    assert poll(started, 20) == []
    assert (served(environ), routes_identity(environ)) == before


def test_new_pair_is_served_and_routes_are_rewritten(
    environ: dict[str, str], started: "watch.Watch", give_own: Give
) -> None:
    poll(started)
    inode, routes = routes_identity(environ), (Path(environ["TRAEFIK_DYNAMIC_DIR"]) / "routes.yml").read_bytes()
    cert, key, until = self_signed_pair(HOSTS, now=NOW)
    give_own(cert, key)
    assert poll(started) == [f"certificate replaced: your own {environ['OWN_CERT_FILE']}, valid until {until:%Y-%m-%d}"]
    assert served(environ) == key + cert
    assert routes_identity(environ) != inode
    assert (Path(environ["TRAEFIK_DYNAMIC_DIR"]) / "routes.yml").read_bytes() == routes


def test_pair_is_not_validated_during_copy(environ: dict[str, str], started: "watch.Watch", give_own: Give) -> None:
    poll(started)
    old, new = self_signed_pair(HOSTS, now=NOW), self_signed_pair(HOSTS, now=NOW)
    give_own(old[0], old[1])
    poll(started)
    give_own(new[0], old[1])
    assert poll(started, 1) == []
    give_own(new[0], new[1])
    (line,) = poll(started)
    assert line.startswith("certificate replaced")
    assert served(environ) == new[1] + new[0]


BROKEN = {
    "foreign key": lambda good, other: (good[0], other[1]),
    "no certificate": lambda good, _: (b"\x00\xff" * 5000, good[1]),
    "no key": lambda good, _: (good[0], b""),
    "expired": lambda *_: self_signed_pair(HOSTS, now=NOW - timedelta(days=500))[:2],
    "other host": lambda *_: self_signed_pair(("elsewhere.example.org",), now=NOW)[:2],
    "huge": lambda good, _: (good[0], b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 5_000_000),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_invalid_pair_is_rejected_once_and_old_pair_stays(
    environ: dict[str, str], started: "watch.Watch", give_own: Give, kind: str
) -> None:
    poll(started)
    before = served(environ), routes_identity(environ)
    good, other = self_signed_pair(HOSTS, now=NOW), self_signed_pair(HOSTS, now=NOW)
    give_own(*BROKEN[kind](good, other))

    (line,) = poll(started, 10)

    assert line.startswith("certificate REJECTED, the current one stays (valid until 20")
    assert "\n" not in line
    assert "PRIVATE KEY-----\nA" not in line
    assert (served(environ), routes_identity(environ)) == before


def test_missing_own_files_keep_the_served_certificate(
    environ: dict[str, str], started: "watch.Watch", give_own: Give
) -> None:
    issuer, _, _ = self_signed_pair(("ca.example.org",), now=NOW)
    cert, key = issued_pair()
    give_own(cert + issuer, key)
    poll(started)
    before = served(environ)
    Path(environ["OWN_KEY_FILE"]).unlink()
    assert "provide both" in poll(started)[0]
    Path(environ["OWN_CERT_FILE"]).unlink()
    assert poll(started)[0].startswith("your own certificate is missing, the current one stays")
    assert served(environ) == before


def test_self_signed_certificate_is_renewed_at_runtime(environ: dict[str, str], started: "watch.Watch") -> None:
    poll(started)
    before = served(environ)
    assert poll(started, now=NOW + timedelta(days=300)) == [
        "certificate: self-signed, kept from an earlier start, for jupyter.example.org, auth.example.org"
    ]
    (line,) = poll(started, now=NOW + timedelta(days=370))
    assert line.startswith("certificate replaced: new, self-signed")
    assert served(environ) != before


def test_expiry_warning_is_logged_daily(environ: dict[str, str], started: "watch.Watch", give_own: Give) -> None:
    give_own(*self_signed_pair(HOSTS, now=NOW)[:2])
    poll(started)
    late = NOW + timedelta(days=390, hours=-1)
    line = [line for day in range(3) for line in poll(started, 5, now=late + timedelta(days=day))]
    assert [line.rpartition(": ")[2] for line in line] == ["ONLY 7 DAYS LEFT", "ONLY 6 DAYS LEFT", "ONLY 5 DAYS LEFT"]


def test_watch_script_runs_alone_and_ends_on_sigterm(environ: dict[str, str], give_own: Give, tmp_path: Path) -> None:
    assert prepare.main(environ) == 0
    process = subprocess.Popen(
        [sys.executable, "-u", str(SCRIPT)], env=environ, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    try:
        give_own(*self_signed_pair(HOSTS, now=NOW)[:2])
        assert process.stdout
        assert process.stdout.readline().startswith("certificate replaced: your own")
        assert Path(environ["ALIVE_FILE"]).exists()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.communicate()


def issued_pair() -> tuple[bytes, bytes]:
    """Return a certificate that another key signed, like that of an authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    signer, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    leaf = (
        x509.CertificateBuilder()
        .subject_name(name(HOSTS[0]))
        .issuer_name(name("An authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(hours=1))
        .not_valid_after(NOW + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return leaf.public_bytes(serialization.Encoding.PEM), private
