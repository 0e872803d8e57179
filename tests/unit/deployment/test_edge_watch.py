"""A certificate that changes while everything runs: served if it is sound, refused with a line if it is not."""

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
    """As after `prepare`: the certificate is in place, the routes are where Traefik watches."""
    assert prepare.main(environ) == 0
    return watch.Watch(watch.read_site(environ), tmp_path / "dynamic")


def served(environ: dict[str, str]) -> bytes:
    return (Path(environ["CERTS_DIR"]) / "server.pem").read_bytes()


def looks(watching: "watch.Watch", times: int = 3, now: datetime = NOW) -> list[str]:
    """What is said in that many looks."""
    return [said for _ in range(times) if (said := watching.look(now))]


def routes_identity(environ: dict[str, str]) -> int:
    """Traefik notices a new file in place of the old one."""
    return (Path(environ["TRAEFIK_DYNAMIC_DIR"]) / "routes.yml").stat().st_ino


def test_nothing_is_said_or_touched_while_nothing_changes(environ: dict[str, str], started: "watch.Watch") -> None:
    before = served(environ), routes_identity(environ)
    assert looks(started, 20) == []
    assert (served(environ), routes_identity(environ)) == before


def test_a_new_pair_is_served_and_traefik_told(environ: dict[str, str], started: "watch.Watch", give_own: Give) -> None:
    looks(started)
    told, routes = routes_identity(environ), (Path(environ["TRAEFIK_DYNAMIC_DIR"]) / "routes.yml").read_bytes()
    cert, key, until = self_signed_pair(HOSTS, now=NOW)
    give_own(cert, key)
    assert looks(started) == [
        f"certificate replaced: your own {environ['OWN_CERT_FILE']}, valid until {until:%Y-%m-%d}"
    ]
    assert served(environ) == key + cert
    assert routes_identity(environ) != told
    assert (Path(environ["TRAEFIK_DYNAMIC_DIR"]) / "routes.yml").read_bytes() == routes


def test_a_pair_is_not_judged_between_its_two_copies(
    environ: dict[str, str], started: "watch.Watch", give_own: Give
) -> None:
    looks(started)
    old, new = self_signed_pair(HOSTS, now=NOW), self_signed_pair(HOSTS, now=NOW)
    give_own(old[0], old[1])
    looks(started)
    give_own(new[0], old[1])
    assert looks(started, 1) == []
    give_own(new[0], new[1])
    (said,) = looks(started)
    assert said.startswith("certificate replaced")
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
def test_a_broken_pair_is_refused_once_and_the_old_one_goes_on(
    environ: dict[str, str], started: "watch.Watch", give_own: Give, kind: str
) -> None:
    looks(started)
    before = served(environ), routes_identity(environ)
    good, other = self_signed_pair(HOSTS, now=NOW), self_signed_pair(HOSTS, now=NOW)
    give_own(*BROKEN[kind](good, other))

    (said,) = looks(started, 10)

    assert said.startswith("certificate REFUSED, the one in use stays (valid until 20")
    assert "\n" not in said
    assert "PRIVATE KEY-----\nA" not in said
    assert (served(environ), routes_identity(environ)) == before


def test_a_missing_half_is_refused_and_a_missing_pair_replaced_by_nothing(
    environ: dict[str, str], started: "watch.Watch", give_own: Give
) -> None:
    issuer, _, _ = self_signed_pair(("ca.example.org",), now=NOW)
    cert, key = issued_pair()
    give_own(cert + issuer, key)
    looks(started)
    before = served(environ)
    Path(environ["OWN_KEY_FILE"]).unlink()
    assert "partner" in looks(started)[0]
    Path(environ["OWN_CERT_FILE"]).unlink()
    assert looks(started)[0].startswith("your own certificate is gone, the one in use stays")
    assert served(environ) == before


def test_a_self_signed_certificate_is_renewed_while_everything_runs(
    environ: dict[str, str], started: "watch.Watch"
) -> None:
    looks(started)
    before = served(environ)
    assert looks(started, now=NOW + timedelta(days=300)) == [
        "certificate: self-signed, kept from an earlier start, for jupyter.example.org, auth.example.org"
    ]
    (said,) = looks(started, now=NOW + timedelta(days=370))
    assert said.startswith("certificate replaced: new, self-signed")
    assert served(environ) != before


def test_the_last_days_of_an_own_certificate_are_told_every_day(
    environ: dict[str, str], started: "watch.Watch", give_own: Give
) -> None:
    give_own(*self_signed_pair(HOSTS, now=NOW)[:2])
    looks(started)
    late = NOW + timedelta(days=390, hours=-1)
    said = [line for day in range(3) for line in looks(started, 5, now=late + timedelta(days=day))]
    assert [line.rpartition(": ")[2] for line in said] == ["ONLY 7 DAYS LEFT", "ONLY 6 DAYS LEFT", "ONLY 5 DAYS LEFT"]


def test_the_script_runs_alone_and_ends_when_told(environ: dict[str, str], give_own: Give, tmp_path: Path) -> None:
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
    """A certificate that another key signed, as an authority's is."""
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
