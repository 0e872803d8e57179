"""Which certificate the edge serves: the site's own if it is sound, else one of our making that is kept."""

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
    """Put a certificate and its key where the site puts its own."""

    def give(cert: bytes, key: bytes) -> None:
        (tmp_path / "own").mkdir(exist_ok=True)
        (tmp_path / "own" / "server.crt").write_bytes(cert)
        (tmp_path / "own" / "server.key").write_bytes(key)

    return give


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def fault(environ: dict[str, str], capsys: Capsys) -> str:
    """The one sentence that a refused start leaves."""
    assert prepare.main(environ) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1, told
    assert "Traceback" not in told
    return told


def served(environ: dict[str, str]) -> x509.Certificate:
    return x509.load_pem_x509_certificate((Path(environ["CERTS_DIR"]) / "server.pem").read_bytes())


# ── A certificate of our own making ──────────────────────────────────────────────────────────────────────────


def test_without_own_files_the_certificate_is_self_signed_for_every_host(environ: dict[str, str]) -> None:
    prepare.main(environ)

    leaf = served(environ)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert tuple(names.get_values_for_type(x509.DNSName)) == HOSTS
    assert leaf.issuer == leaf.subject
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize("hosts", ["jupyter.localhost", "jupyter.localhost,auth.localhost,cas.localhost"])
def test_other_hosts_get_another_certificate(environ: dict[str, str], hosts: str) -> None:
    prepare.main(environ)
    before = served(environ)

    prepare.main(environ | {"TLS_HOSTS": hosts})

    assert served(environ) != before


@pytest.mark.parametrize(("days_ago", "kept"), [(300, True), (370, False), (500, False)])
def test_a_self_signed_certificate_is_renewed_a_month_before_its_end(
    environ: dict[str, str], days_ago: int, kept: bool
) -> None:
    cert, key, _ = self_signed_pair(HOSTS, now=NOW - timedelta(days=days_ago))
    certs = Path(environ["CERTS_DIR"])
    certs.mkdir()
    (certs / "server.pem").write_bytes(key + cert)

    assert prepare.main(environ) == 0

    assert ((certs / "server.pem").read_bytes() == key + cert) is kept


def test_a_damaged_certificate_of_an_earlier_start_is_replaced(environ: dict[str, str]) -> None:
    prepare.main(environ)
    certificate = Path(environ["CERTS_DIR"]) / "server.pem"
    certificate.chmod(0o600)
    certificate.write_text("half a certif")

    assert prepare.main(environ) == 0

    assert served(environ)


# ── The site's own certificate ───────────────────────────────────────────────────────────────────────────────


def test_own_files_are_served_as_they_are(environ: dict[str, str], give_own: Give, capsys: Capsys) -> None:
    cert, key, _ = self_signed_pair(("*.localhost",), now=NOW)
    issuer, _, _ = self_signed_pair(("ca.example.org",), now=NOW)
    give_own(cert + issuer, key)

    assert prepare.main(environ) == 0

    assert contents(environ["CERTS_DIR"]) == {"server.pem": key + cert + issuer, "server.crt": cert + issuer}
    assert "your own" in capsys.readouterr().out


def test_own_files_replace_the_self_signed_ones_and_back(environ: dict[str, str], give_own: Give) -> None:
    prepare.main(environ)
    cert, key, _ = self_signed_pair(("*.localhost",), now=NOW)
    give_own(cert, key)
    prepare.main(environ)
    assert contents(environ["CERTS_DIR"])["server.pem"] == key + cert

    Path(environ["OWN_CERT_FILE"]).unlink()
    Path(environ["OWN_KEY_FILE"]).unlink()
    prepare.main(environ)

    assert served(environ).issuer.rfc4514_string() == "CN=jupyter.localhost"


def test_a_certificate_near_its_end_is_served_with_a_warning(
    environ: dict[str, str], give_own: Give, capsys: Capsys
) -> None:
    cert, key, _ = self_signed_pair(HOSTS, now=NOW - timedelta(days=390))
    give_own(cert, key)

    assert prepare.main(environ) == 0

    assert "DAYS LEFT" in capsys.readouterr().out


def test_an_expired_certificate_is_refused(environ: dict[str, str], give_own: Give, capsys: Capsys) -> None:
    cert, key, _ = self_signed_pair(HOSTS, now=NOW - timedelta(days=400))
    give_own(cert, key)

    told = fault(environ, capsys)

    assert environ["OWN_CERT_FILE"] in told
    assert "expired on" in told
    assert "renew" in told
    assert contents(environ["CERTS_DIR"]) == {}


def test_a_certificate_of_tomorrow_is_refused(environ: dict[str, str], give_own: Give, capsys: Capsys) -> None:
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
def test_a_certificate_that_leaves_out_a_host_is_refused(
    environ: dict[str, str],
    give_own: Give,
    capsys: Capsys,
    names: tuple[str, ...],
    missing: str,
) -> None:
    cert, key, _ = self_signed_pair(names, now=NOW)
    give_own(cert, key)

    assert f"does not cover {missing} " in fault(environ, capsys)


def test_a_key_of_another_certificate_is_refused(environ: dict[str, str], give_own: Give, capsys: Capsys) -> None:
    cert, _, _ = self_signed_pair(HOSTS, now=NOW)
    _, key, _ = self_signed_pair(HOSTS, now=NOW)
    give_own(cert, key)

    told = fault(environ, capsys)

    assert environ["OWN_KEY_FILE"] in told
    assert "is not the key of" in told


def test_a_chain_in_the_wrong_order_is_refused_with_the_right_one(
    environ: dict[str, str], give_own: Give, capsys: Capsys
) -> None:
    cert, key, _ = self_signed_pair(HOSTS, now=NOW)
    issuer, _, _ = self_signed_pair(("ca.example.org",), now=NOW)
    give_own(issuer + cert, key)

    assert "number 2: put it first" in fault(environ, capsys)


def test_a_key_with_a_passphrase_is_refused(environ: dict[str, str], give_own: Give, capsys: Capsys) -> None:
    cert, _, _ = self_signed_pair(HOSTS, now=NOW)
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
    give_own(cert, locked)

    assert "protected by a passphrase" in fault(environ, capsys)


@pytest.mark.parametrize(("cert_is", "key_is"), [("not pem", None), (None, "not pem"), ("", None), (None, "")])
def test_files_that_are_no_pem_are_refused_by_name(
    environ: dict[str, str],
    give_own: Give,
    capsys: Capsys,
    cert_is: str | None,
    key_is: str | None,
) -> None:
    cert, key, _ = self_signed_pair(HOSTS, now=NOW)
    give_own(cert if cert_is is None else cert_is.encode(), key if key_is is None else key_is.encode())

    told = fault(environ, capsys)

    assert environ["OWN_CERT_FILE" if key_is is None else "OWN_KEY_FILE"] in told
    assert "PEM" in told


@pytest.mark.parametrize("absent", ["OWN_CERT_FILE", "OWN_KEY_FILE"])
def test_one_file_without_the_other_is_refused(
    environ: dict[str, str],
    give_own: Give,
    capsys: Capsys,
    absent: str,
) -> None:
    cert, key, _ = self_signed_pair(HOSTS, now=NOW)
    give_own(cert, key)
    Path(environ[absent]).unlink()

    told = fault(environ, capsys)

    assert f"its partner {environ[absent]} is not" in told


def test_a_folder_in_the_place_of_a_file_is_explained(environ: dict[str, str], give_own: Give, capsys: Capsys) -> None:
    cert, key, _ = self_signed_pair(HOSTS, now=NOW)
    give_own(cert, key)
    Path(environ["OWN_KEY_FILE"]).unlink()
    Path(environ["OWN_KEY_FILE"]).mkdir()

    assert "is a folder, not a file" in fault(environ, capsys)


def test_an_unreadable_file_is_refused(environ: dict[str, str], give_own: Give, capsys: Capsys) -> None:
    cert, key, _ = self_signed_pair(HOSTS, now=NOW)
    give_own(cert, key)
    Path(environ["OWN_KEY_FILE"]).unlink()
    Path(environ["OWN_KEY_FILE"]).symlink_to("/proc/self/mem")  # the one file that not even root can read

    assert f"{environ['OWN_KEY_FILE']} cannot be read (Input/output error)" in fault(environ, capsys)
