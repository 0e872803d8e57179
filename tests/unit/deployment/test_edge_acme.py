"""Settings of ACME, the dashboard and the rate limit: an error is one sentence before the start."""

import base64
import hashlib
import re
import stat
from pathlib import Path

import pytest

from deployment.edge import prepare
from deployment.edge.certificate import self_signed_pair

Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "SECRETS_DIR": str(tmp_path / "secrets"),
        "CERTS_DIR": str(tmp_path / "certs"),
        "TLS_HOSTS": "jupyter.example.org,auth.example.org",
    }


def fault(environ: dict[str, str], capsys: Capsys) -> str:
    assert prepare.main(environ) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1, printed
    assert not Path(environ["SECRETS_DIR"]).exists()
    return printed


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "requested from Let's Encrypt with the http challenge"),
        ({"ACME_CHALLENGE": "tls"}, "requested from Let's Encrypt with the tls challenge"),
        (
            {"ACME_CA_SERVER": "https://ca.example.org/acme/directory"},
            "requested from https://ca.example.org/acme/directory",
        ),
        ({"ACME_CERT_HOURS": "24"}, "self-signed until they are issued"),
    ],
)
def test_log_names_acme_authority_and_challenge(
    environ: dict[str, str], capsys: Capsys, settings: dict[str, str], message: str
) -> None:
    assert prepare.main(environ | {"ACME_EMAIL": "hostmaster@example.org"} | settings) == 0
    assert message in capsys.readouterr().out


def test_no_acme_request_without_email(environ: dict[str, str], capsys: Capsys) -> None:
    assert prepare.main(environ | {"ACME_EMAIL": "", "ACME_CHALLENGE": "http"}) == 0
    assert "ACME" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ACME_CHALLENGE": "dns"}, "ACME_CHALLENGE is 'dns'"),
        ({"ACME_EMAIL": "hostmaster"}, "ACME_EMAIL is 'hostmaster'"),
        ({"ACME_EMAIL": "a@b.org,c@d.org"}, "set the e-mail address"),
        ({"ACME_CA_SERVER": "http://ca.example.org/dir"}, "set the https:// URL"),
        ({"ACME_CA_SERVER": "ca.example.org"}, "set the https:// URL"),
        ({"ACME_CERT_HOURS": "0"}, "ACME_CERT_HOURS is '0'"),
        ({"ACME_CERT_HOURS": "a day"}, "ACME_CERT_HOURS is 'a day'"),
        ({"ACME_CA_FILE": "/nowhere/ca.crt"}, "/nowhere/ca.crt cannot be read"),
        ({"TLS_HOSTS": "jupyter.localhost,auth.example.org"}, "jupyter.localhost is no public host name"),
        ({"TLS_HOSTS": "jupyter,auth.example.org"}, "jupyter is no public host name"),
        ({"ACME_EMAIL": "", "ACME_CA_SERVER": "https://ca.example.org/"}, "ACME_EMAIL is empty"),
        (
            {"TLS_HOSTS": "jupyter.example.org,*.labs.example.org", "LAB_HOST": "*.labs.example.org"},
            "cannot issue a certificate for *.labs.example.org: in .env set LAB_HOST=labs.example.org",
        ),
        ({"DASHBOARD": "yes"}, "DASHBOARD is 'yes'"),
        ({"AUTH_RATE_PER_MINUTE": "-1"}, "AUTH_RATE_PER_MINUTE is '-1'"),
    ],
)
def test_invalid_setting_stops_start_with_message(
    environ: dict[str, str], capsys: Capsys, settings: dict[str, str], message: str
) -> None:
    assert message in fault(environ | {"ACME_EMAIL": "hostmaster@example.org"} | settings, capsys)


def test_private_authority_issues_for_private_names(environ: dict[str, str], tmp_path: Path) -> None:
    root = tmp_path / "ca.crt"
    root.write_bytes(self_signed_pair(("ca.lan",), now=prepare.datetime.now(prepare.UTC))[0])
    own = {"ACME_EMAIL": "a@b.lan", "ACME_CA_SERVER": "https://ca.lan/acme", "ACME_CA_FILE": str(root)}
    assert prepare.main(environ | own | {"TLS_HOSTS": "jupyter.lan,auth.lan"}) == 0


def test_invalid_root_certificate_is_rejected(environ: dict[str, str], tmp_path: Path, capsys: Capsys) -> None:
    (tmp_path / "ca.crt").write_text("no certificate")
    own = {"ACME_EMAIL": "a@b.lan", "ACME_CA_SERVER": "https://ca.lan/acme", "ACME_CA_FILE": str(tmp_path / "ca.crt")}
    assert "ca.crt contains no PEM certificate" in fault(environ | own, capsys)


def test_own_files_with_acme_are_rejected(environ: dict[str, str], tmp_path: Path, capsys: Capsys) -> None:
    for name in ("server.crt", "server.key"):
        (tmp_path / name).touch()
    own = {"OWN_CERT_FILE": str(tmp_path / "server.crt"), "OWN_KEY_FILE": str(tmp_path / "server.key")}
    assert "remove the file" in fault(environ | own | {"ACME_EMAIL": "a@example.org"}, capsys)


def test_dashboard_password_exists_only_with_dashboard(environ: dict[str, str], capsys: Capsys) -> None:
    prepare.main(environ)
    assert not list(Path(environ["SECRETS_DIR"]).glob("dashboard*"))

    prepare.main(environ | {"DASHBOARD": "1"})

    password = (Path(environ["SECRETS_DIR"]) / "dashboard_password").read_bytes()
    users = (Path(environ["SECRETS_DIR"]) / "dashboard_users").read_text()
    assert re.fullmatch(rb"[0-9a-f]{64}", password)
    assert users == f"admin:{{SHA}}{base64.b64encode(hashlib.sha1(password).digest()).decode()}\n"
    assert password.decode() not in "".join(capsys.readouterr())
    modes = {stat.S_IMODE(path.stat().st_mode) for path in Path(environ["SECRETS_DIR"]).glob("dashboard*")}
    assert modes == {0o400}
