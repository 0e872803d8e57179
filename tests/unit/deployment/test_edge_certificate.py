"""The served certificate: the site's own if it is valid, else a self-signed one that is kept."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deployment.edge import prepare
from deployment.edge.certificate import self_signed_pair

NOW = datetime.now(UTC)
HOSTS = ("jupyter.localhost", "auth.localhost")
Give = Callable[[bytes, bytes], None]
Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "SECRETS_DIR": str(tmp_path / "secrets"),
        "CERTS_DIR": str(tmp_path / "certs"),
        "TLS_HOSTS": ",".join(HOSTS),
        "OWN_CERT_FILE": str(tmp_path / "own" / "server.crt"),
        "OWN_KEY_FILE": str(tmp_path / "own" / "server.key"),
    }


@pytest.fixture
def give_own(tmp_path: Path) -> Give:
    """Write a certificate and its key to the site's paths."""

    def give(cert: bytes, key: bytes) -> None:
        (tmp_path / "own").mkdir(exist_ok=True)
        (tmp_path / "own" / "server.crt").write_bytes(cert)
        (tmp_path / "own" / "server.key").write_bytes(key)

    return give


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def fault(environ: dict[str, str], capsys: Capsys) -> str:
    """Return the single error message of a rejected start."""
    assert prepare.main(environ) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1, message
    assert "Traceback" not in message
    return message


def served(environ: dict[str, str]) -> x509.Certificate:
    return x509.load_pem_x509_certificate((Path(environ["CERTS_DIR"]) / "server.pem").read_bytes())


# ── A certificate of our own making ──────────────────────────────────────────────────────────────────────────


def test_default_certificate_is_self_signed_for_all_hosts(environ: dict[str, str]) -> None:
    prepare.main(environ)

    leaf = served(environ)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert tuple(names.get_values_for_type(x509.DNSName)) == HOSTS
    assert leaf.issuer == leaf.subject
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize("hosts", ["jupyter.localhost", "jupyter.localhost,auth.localhost,cas.localhost"])
def test_changed_hosts_get_new_certificate(environ: dict[str, str], hosts: str) -> None:
    prepare.main(environ)
    before = served(environ)

    prepare.main(environ | {"TLS_HOSTS": hosts})

    assert served(environ) != before


@pytest.mark.parametrize(("days_ago", "kept"), [(300, True), (370, False), (500, False)])
def test_self_signed_renewal_a_month_before_expiry(environ: dict[str, str], days_ago: int, kept: bool) -> None:
    cert, key, _ = self_signed_pair(HOSTS, now=NOW - timedelta(days=days_ago))
    certs = Path(environ["CERTS_DIR"])
    certs.mkdir()
    (certs / "server.pem").write_bytes(key + cert)

    assert prepare.main(environ) == 0

    assert ((certs / "server.pem").read_bytes() == key + cert) is kept


def test_damaged_served_certificate_is_replaced(environ: dict[str, str]) -> None:
    prepare.main(environ)
    certificate = Path(environ["CERTS_DIR"]) / "server.pem"
    certificate.chmod(0o600)
    certificate.write_text("half a certif")

    assert prepare.main(environ) == 0

    assert served(environ)


# ── The site's own certificate ───────────────────────────────────────────────────────────────────────────────


def test_own_files_are_served_unchanged(environ: dict[str, str], give_own: Give, capsys: Capsys) -> None:
    cert, key, _ = self_signed_pair(("*.localhost",), now=NOW)
    issuer, _, _ = self_signed_pair(("ca.example.org",), now=NOW)
    give_own(cert + issuer, key)

    assert prepare.main(environ) == 0

    assert contents(environ["CERTS_DIR"]) == {"server.pem": key + cert + issuer, "server.crt": cert + issuer}
    assert "your own" in capsys.readouterr().out


def test_own_files_replace_self_signed_and_back(environ: dict[str, str], give_own: Give) -> None:
    prepare.main(environ)
    cert, key, _ = self_signed_pair(("*.localhost",), now=NOW)
    give_own(cert, key)
    prepare.main(environ)
    assert contents(environ["CERTS_DIR"])["server.pem"] == key + cert

    Path(environ["OWN_CERT_FILE"]).unlink()
    Path(environ["OWN_KEY_FILE"]).unlink()
    prepare.main(environ)

    assert served(environ).issuer.rfc4514_string() == "CN=jupyter.localhost"


def test_certificate_near_expiry_is_served_with_warning(
    environ: dict[str, str], give_own: Give, capsys: Capsys
) -> None:
    cert, key, _ = self_signed_pair(HOSTS, now=NOW - timedelta(days=390))
    give_own(cert, key)

    assert prepare.main(environ) == 0

    assert "DAYS LEFT" in capsys.readouterr().out


def test_expired_certificate_is_rejected(environ: dict[str, str], give_own: Give, capsys: Capsys) -> None:
    cert, key, _ = self_signed_pair(HOSTS, now=NOW - timedelta(days=400))
    give_own(cert, key)

    message = fault(environ, capsys)

    assert environ["OWN_CERT_FILE"] in message
    assert "expired on" in message
    assert "renew" in message
    assert contents(environ["CERTS_DIR"]) == {}


def test_not_yet_valid_certificate_is_rejected(environ: dict[str, str], give_own: Give, capsys: Capsys) -> None:
    cert, key, _ = self_signed_pair(HOSTS, now=NOW + timedelta(days=1))
    give_own(cert, key)

    assert "valid only from" in fault(environ, capsys)


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (("jupyter.localhost",), "auth.localhost"),
        (("*.example.org",), "jupyter.localhost, auth.localhost"),
        (("localhost", "*.jupyter.localhost", "auth.localhost"), "jupyter.localhost"),
    ],
)
def test_certificate_without_a_host_is_rejected(
    environ: dict[str, str],
    give_own: Give,
    capsys: Capsys,
    names: tuple[str, ...],
    missing: str,
) -> None:
    cert, key, _ = self_signed_pair(names, now=NOW)
    give_own(cert, key)

    assert f"does not cover {missing} " in fault(environ, capsys)


def test_mismatched_key_is_rejected(environ: dict[str, str], give_own: Give, capsys: Capsys) -> None:
    cert, _, _ = self_signed_pair(HOSTS, now=NOW)
    _, key, _ = self_signed_pair(HOSTS, now=NOW)
    give_own(cert, key)

    message = fault(environ, capsys)

    assert environ["OWN_KEY_FILE"] in message
    assert "is not the key of" in message


def test_misordered_chain_is_rejected_with_correct_order(
    environ: dict[str, str], give_own: Give, capsys: Capsys
) -> None:
    cert, key, _ = self_signed_pair(HOSTS, now=NOW)
    issuer, _, _ = self_signed_pair(("ca.example.org",), now=NOW)
    give_own(issuer + cert, key)

    assert "number 2: put it first" in fault(environ, capsys)


def test_encrypted_key_is_rejected(environ: dict[str, str], give_own: Give, capsys: Capsys) -> None:
    cert, _, _ = self_signed_pair(HOSTS, now=NOW)
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
    give_own(cert, locked)

    assert "encrypted with a passphrase" in fault(environ, capsys)


@pytest.mark.parametrize(("cert_is", "key_is"), [("not pem", None), (None, "not pem"), ("", None), (None, "")])
def test_non_pem_files_are_rejected_by_name(
    environ: dict[str, str],
    give_own: Give,
    capsys: Capsys,
    cert_is: str | None,
    key_is: str | None,
) -> None:
    cert, key, _ = self_signed_pair(HOSTS, now=NOW)
    give_own(cert if cert_is is None else cert_is.encode(), key if key_is is None else key_is.encode())

    message = fault(environ, capsys)

    assert environ["OWN_CERT_FILE" if key_is is None else "OWN_KEY_FILE"] in message
    assert "PEM" in message


@pytest.mark.parametrize("absent", ["OWN_CERT_FILE", "OWN_KEY_FILE"])
def test_certificate_or_key_alone_is_rejected(
    environ: dict[str, str],
    give_own: Give,
    capsys: Capsys,
    absent: str,
) -> None:
    cert, key, _ = self_signed_pair(HOSTS, now=NOW)
    give_own(cert, key)
    Path(environ[absent]).unlink()

    message = fault(environ, capsys)

    assert f"{environ[absent]} does not" in message


def test_directory_instead_of_file_is_explained(environ: dict[str, str], give_own: Give, capsys: Capsys) -> None:
    cert, key, _ = self_signed_pair(HOSTS, now=NOW)
    give_own(cert, key)
    Path(environ["OWN_KEY_FILE"]).unlink()
    Path(environ["OWN_KEY_FILE"]).mkdir()

    assert "is a directory, not a file" in fault(environ, capsys)


def test_unreadable_file_is_rejected(environ: dict[str, str], give_own: Give, capsys: Capsys) -> None:
    cert, key, _ = self_signed_pair(HOSTS, now=NOW)
    give_own(cert, key)
    Path(environ["OWN_KEY_FILE"]).unlink()
    Path(environ["OWN_KEY_FILE"]).symlink_to("/proc/self/mem")  # the one file that not even root can read

    assert f"{environ['OWN_KEY_FILE']} cannot be read (Input/output error)" in fault(environ, capsys)
