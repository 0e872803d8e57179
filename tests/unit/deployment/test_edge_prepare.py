"""What happens before the first start: secrets made once and given to their readers only, one sentence a fault."""

import base64
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deployment.edge import prepare
from hub.config.restore_marker import MARK

SCRIPT = Path(prepare.__file__)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "SECRETS_DIR": str(tmp_path / "secrets"),
        "CERTS_DIR": str(tmp_path / "certs"),
        "TLS_HOSTS": "jupyter.localhost,auth.localhost",
    }


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def fault(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence that a refused start leaves."""
    assert prepare.main(environ) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1, told
    assert "Traceback" not in told
    return told


@pytest.mark.parametrize("of", ["SECRETS_DIR", "CERTS_DIR", "METRICS_DIR"])
def test_nothing_is_made_in_what_a_restore_left_half_done(
    environ: dict[str, str], tmp_path: Path, of: str, capsys: pytest.CaptureFixture[str]
) -> None:
    environ["METRICS_DIR"] = str(tmp_path / "metrics")
    Path(environ[of]).mkdir()
    Path(environ[of], MARK).touch()
    assert "a restore into this project was interrupted" in fault(environ, capsys)
    assert contents(environ[of]) == {MARK: b""}


# ── Secrets ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_first_start_makes_every_secret_and_each_is_different(environ: dict[str, str]) -> None:
    assert prepare.main(environ) == 0

    made = contents(environ["SECRETS_DIR"])
    secrets = ["bridge_secret_key", "hub_client_secret", "hub_crypt_key", "traefik_api_password"]
    assert sorted(made) == [*secrets, "traefik_api_users"]
    assert len(set(made.values())) == 5
    for name in secrets:
        assert len(bytes.fromhex(made[name].decode())) == 32


def test_a_second_start_changes_neither_secret_nor_certificate(environ: dict[str, str]) -> None:
    prepare.main(environ)
    before = contents(environ["SECRETS_DIR"]), contents(environ["CERTS_DIR"])

    assert prepare.main(environ) == 0

    assert (contents(environ["SECRETS_DIR"]), contents(environ["CERTS_DIR"])) == before


def test_a_secret_of_the_administrators_own_is_kept(environ: dict[str, str]) -> None:
    Path(environ["SECRETS_DIR"]).mkdir()
    chosen = Path(environ["SECRETS_DIR"]) / "hub_client_secret"
    chosen.write_text("chosen by hand\n")

    assert prepare.main(environ) == 0

    assert chosen.read_text() == "chosen by hand\n"


def test_the_password_file_of_traefiks_api_fits_the_password(environ: dict[str, str]) -> None:
    prepare.main(environ)
    password = contents(environ["SECRETS_DIR"])["traefik_api_password"]

    prepare.main(environ | {"TRAEFIK_API_USER": "someone"})

    digest = base64.b64encode(hashlib.sha1(password).digest()).decode()
    assert contents(environ["SECRETS_DIR"])["traefik_api_users"].decode() == f"someone:{{SHA}}{digest}\n"


def test_an_empty_secret_is_a_fault_and_not_a_secret(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path(environ["SECRETS_DIR"]).mkdir()
    (Path(environ["SECRETS_DIR"]) / "bridge_secret_key").touch()

    assert "bridge_secret_key is empty" in fault(environ, capsys)


def test_secrets_and_key_are_readable_by_their_owner_only_and_the_certificate_by_all(environ: dict[str, str]) -> None:
    prepare.main(environ)

    for folder in (environ["SECRETS_DIR"], environ["CERTS_DIR"]):
        for path in Path(folder).iterdir():
            wanted = 0o444 if path.name == "server.crt" else 0o400
            assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_a_certificate_of_an_earlier_version_is_opened_for_reading(environ: dict[str, str]) -> None:
    prepare.main(environ)
    certificate = Path(environ["CERTS_DIR"]) / "server.crt"
    certificate.chmod(0o400)
    prepare.main(environ)

    assert stat.S_IMODE(certificate.stat().st_mode) == 0o444


def test_what_the_bridge_needs_is_readable_by_its_group_too(environ: dict[str, str]) -> None:
    prepare.main(environ | {"BRIDGE_GID": str(os.getgid())})

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in Path(environ["SECRETS_DIR"]).iterdir()}
    assert modes == {
        "bridge_secret_key": 0o440,
        "hub_client_secret": 0o440,
        "hub_crypt_key": 0o400,
        "traefik_api_password": 0o400,
        "traefik_api_users": 0o400,
    }


def test_no_secret_is_printed(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    prepare.main(environ)

    printed = "".join(capsys.readouterr())
    for secret in contents(environ["SECRETS_DIR"]).values():
        assert secret.decode().strip() not in printed


def test_no_half_written_file_is_left_when_writing_fails(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_space(_descriptor: int) -> None:
        raise OSError(28, "No space left on device", environ["SECRETS_DIR"])

    monkeypatch.setattr(os, "fsync", no_space)

    assert "No space left on device" in fault(environ, capsys)
    assert contents(environ["SECRETS_DIR"]) == {}


# ── What is asked ────────────────────────────────────────────────────────────────────────────────────────────


def test_all_missing_settings_are_named_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert "SECRETS_DIR, CERTS_DIR, TLS_HOSTS must be set" in fault({"TLS_HOSTS": ""}, capsys)


@pytest.mark.parametrize("hosts", ["https://jupyter.localhost", "jupyter.localhost:8443", "jupyter localhost", "ä.org"])
def test_what_is_no_host_name_is_refused(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str], hosts: str
) -> None:
    assert "is no host name" in fault(environ | {"TLS_HOSTS": hosts}, capsys)


def test_no_host_at_all_is_refused(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "names no host" in fault(environ | {"TLS_HOSTS": " , "}, capsys)


def test_a_folder_that_cannot_be_written_is_named(
    environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "certs").touch()

    assert str(tmp_path / "certs") in fault(environ, capsys)


def test_the_fixed_routes_are_put_where_traefik_watches(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "dynamic").mkdir()

    prepare.main(environ | {"TRAEFIK_DYNAMIC_DIR": str(tmp_path / "dynamic")})

    assert (tmp_path / "dynamic" / "routes.yml").read_bytes() == SCRIPT.with_name("routes.yml").read_bytes()


def test_the_script_runs_alone(environ: dict[str, str], tmp_path: Path) -> None:
    """As in its container: no package around it, another working directory, nothing else in the environment."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], env=environ, cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 2


def test_the_demo_is_refused_beside_a_host_of_the_world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environ = {
        "SECRETS_DIR": str(tmp_path / "secrets"),
        "CERTS_DIR": str(tmp_path / "certs"),
        "TLS_HOSTS": "jupyter.example.org,auth.localhost,cas.localhost",
        "DEMO_CAS_HOST": "cas.localhost",
    }

    assert prepare.main(environ) == 1
    assert "does not run beside jupyter.example.org" in capsys.readouterr().err
    assert not (tmp_path / "secrets").exists()
