"""What is set for ACME, for the dashboard and for the limit: a fault is one sentence before the start."""

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
    told = capsys.readouterr().err
    assert told.count("\n") == 1, told
    assert not Path(environ["SECRETS_DIR"]).exists()
    return told


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "asked of Let's Encrypt by the http challenge"),
        ({"ACME_CHALLENGE": "tls"}, "asked of Let's Encrypt by the tls challenge"),
        ({"ACME_CA_SERVER": "https://ca.example.org/acme/directory"}, "asked of https://ca.example.org/acme/directory"),
        ({"ACME_CERT_HOURS": "24"}, "self-signed until they are there"),
    ],
)
def test_what_will_be_asked_of_whom_is_told(
    environ: dict[str, str], capsys: Capsys, asked: dict[str, str], said: str
) -> None:
    assert prepare.main(environ | {"ACME_EMAIL": "hostmaster@example.org"} | asked) == 0
    assert said in capsys.readouterr().out


def test_without_an_address_nobody_is_asked(environ: dict[str, str], capsys: Capsys) -> None:
    assert prepare.main(environ | {"ACME_EMAIL": "", "ACME_CHALLENGE": "http"}) == 0
    assert "ACME" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"ACME_CHALLENGE": "dns"}, "ACME_CHALLENGE is 'dns'"),
        ({"ACME_EMAIL": "hostmaster"}, "ACME_EMAIL is 'hostmaster'"),
        ({"ACME_EMAIL": "a@b.org,c@d.org"}, "the one address"),
        ({"ACME_CA_SERVER": "http://ca.example.org/dir"}, "write the https:// address"),
        ({"ACME_CA_SERVER": "ca.example.org"}, "write the https:// address"),
        ({"ACME_CERT_HOURS": "0"}, "ACME_CERT_HOURS is '0'"),
        ({"ACME_CERT_HOURS": "a day"}, "ACME_CERT_HOURS is 'a day'"),
        ({"ACME_CA_FILE": "/nowhere/ca.crt"}, "/nowhere/ca.crt cannot be read"),
        ({"TLS_HOSTS": "jupyter.localhost,auth.example.org"}, "jupyter.localhost is no name that a public authority"),
        ({"TLS_HOSTS": "jupyter,auth.example.org"}, "jupyter is no name that a public authority"),
        ({"ACME_EMAIL": "", "ACME_CA_SERVER": "https://ca.example.org/"}, "ACME_EMAIL is empty"),
        ({"DASHBOARD": "yes"}, "DASHBOARD is 'yes'"),
        ({"AUTH_RATE_PER_MINUTE": "-1"}, "AUTH_RATE_PER_MINUTE is '-1'"),
    ],
)
def test_a_setting_that_cannot_work_stops_the_start_with_a_sentence(
    environ: dict[str, str], capsys: Capsys, asked: dict[str, str], said: str
) -> None:
    assert said in fault(environ | {"ACME_EMAIL": "hostmaster@example.org"} | asked, capsys)


def test_an_authority_of_ones_own_may_issue_for_names_of_ones_own(environ: dict[str, str], tmp_path: Path) -> None:
    root = tmp_path / "ca.crt"
    root.write_bytes(self_signed_pair(("ca.lan",), now=prepare.datetime.now(prepare.UTC))[0])
    own = {"ACME_EMAIL": "a@b.lan", "ACME_CA_SERVER": "https://ca.lan/acme", "ACME_CA_FILE": str(root)}
    assert prepare.main(environ | own | {"TLS_HOSTS": "jupyter.lan,auth.lan"}) == 0


def test_a_root_that_is_none_is_refused(environ: dict[str, str], tmp_path: Path, capsys: Capsys) -> None:
    (tmp_path / "ca.crt").write_text("no certificate")
    own = {"ACME_EMAIL": "a@b.lan", "ACME_CA_SERVER": "https://ca.lan/acme", "ACME_CA_FILE": str(tmp_path / "ca.crt")}
    assert "ca.crt holds no PEM certificate" in fault(environ | own, capsys)


def test_own_files_and_an_authority_are_one_too_many(environ: dict[str, str], tmp_path: Path, capsys: Capsys) -> None:
    for name in ("server.crt", "server.key"):
        (tmp_path / name).touch()
    own = {"OWN_CERT_FILE": str(tmp_path / "server.crt"), "OWN_KEY_FILE": str(tmp_path / "server.key")}
    assert "take the file away" in fault(environ | own | {"ACME_EMAIL": "a@example.org"}, capsys)


def test_the_dashboard_has_a_password_only_when_it_is_asked_for(environ: dict[str, str], capsys: Capsys) -> None:
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
