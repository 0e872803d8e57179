"""Preparation of a start: secrets are created once with minimal permissions, and an error is one sentence."""

import base64
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from deployment.edge import prepare
from hub.config.settings import RESTORE_MARK

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
    """Return the single error message of a rejected start."""
    assert prepare.main(environ) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1, message
    assert "Traceback" not in message
    return message


@pytest.mark.parametrize("of", ["SECRETS_DIR", "CERTS_DIR", "METRICS_DIR"])
def test_unfinished_restore_stops_preparation(
    environ: dict[str, str], tmp_path: Path, of: str, capsys: pytest.CaptureFixture[str]
) -> None:
    environ["METRICS_DIR"] = str(tmp_path / "metrics")
    Path(environ[of]).mkdir()
    Path(environ[of], RESTORE_MARK).touch()
    assert "a restore into this project was interrupted" in fault(environ, capsys)
    assert contents(environ[of]) == {RESTORE_MARK: b""}


# ── Secrets ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_first_start_creates_distinct_secrets(environ: dict[str, str]) -> None:
    assert prepare.main(environ) == 0

    made = contents(environ["SECRETS_DIR"])
    secrets = ["bridge_secret_key", "hub_client_secret", "hub_crypt_key", "traefik_api_password"]
    assert sorted(made) == [*secrets, "traefik_api_users"]
    assert len(set(made.values())) == 5
    for name in secrets:
        assert len(bytes.fromhex(made[name].decode())) == 32


def test_second_start_keeps_secrets_and_certificate(environ: dict[str, str]) -> None:
    prepare.main(environ)
    before = contents(environ["SECRETS_DIR"]), contents(environ["CERTS_DIR"])

    assert prepare.main(environ) == 0

    assert (contents(environ["SECRETS_DIR"]), contents(environ["CERTS_DIR"])) == before


def test_secret_of_administrator_is_kept(environ: dict[str, str]) -> None:
    Path(environ["SECRETS_DIR"]).mkdir()
    chosen = Path(environ["SECRETS_DIR"]) / "hub_client_secret"
    chosen.write_text("chosen by hand\n")

    assert prepare.main(environ) == 0

    assert chosen.read_text() == "chosen by hand\n"


def test_traefik_api_password_file_matches_password(environ: dict[str, str]) -> None:
    prepare.main(environ)
    password = contents(environ["SECRETS_DIR"])["traefik_api_password"]

    prepare.main(environ | {"TRAEFIK_API_USER": "someone"})

    digest = base64.b64encode(hashlib.sha1(password).digest()).decode()
    assert contents(environ["SECRETS_DIR"])["traefik_api_users"].decode() == f"someone:{{SHA}}{digest}\n"


def test_empty_secret_file_is_rejected(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    Path(environ["SECRETS_DIR"]).mkdir()
    (Path(environ["SECRETS_DIR"]) / "bridge_secret_key").touch()

    assert "bridge_secret_key is empty" in fault(environ, capsys)


def test_only_the_certificate_is_world_readable(environ: dict[str, str]) -> None:
    prepare.main(environ)

    for folder in (environ["SECRETS_DIR"], environ["CERTS_DIR"]):
        for path in Path(folder).iterdir():
            wanted = 0o444 if path.name == "server.crt" else 0o400
            assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_old_certificate_file_becomes_readable(environ: dict[str, str]) -> None:
    prepare.main(environ)
    certificate = Path(environ["CERTS_DIR"]) / "server.crt"
    certificate.chmod(0o400)
    prepare.main(environ)

    assert stat.S_IMODE(certificate.stat().st_mode) == 0o444


def test_bridge_files_are_readable_by_its_group(environ: dict[str, str]) -> None:
    prepare.main(environ | {"BRIDGE_GID": str(os.getgid())})

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in Path(environ["SECRETS_DIR"]).iterdir()}
    assert modes == {
        "bridge_secret_key": 0o440,
        "hub_client_secret": 0o440,
        "hub_crypt_key": 0o400,
        "traefik_api_password": 0o400,
        "traefik_api_users": 0o400,
    }


@pytest.fixture
def of_hub(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a start with the hub's data, as an older version wrote it: as root."""
    if os.getuid() != 0:
        pytest.skip("only root can give files to another user")
    for name in ("data/homes", "dynamic"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("data/jupyterhub.sqlite", "data/homes/bob.json", "dynamic/hub.toml"):
        (tmp_path / name).touch(mode=0o600)
    places = {"HUB_DATA_DIR": str(tmp_path / "data"), "TRAEFIK_DYNAMIC_DIR": str(tmp_path / "dynamic")}
    return environ | places | {"HUB_UID": "10002", "METRICS_DIR": str(tmp_path / "metrics")}


def owners(folder: str) -> dict[str, int]:
    return {path.name: path.lstat().st_uid for path in Path(folder).rglob("*")}


def test_hub_owns_its_secrets_only(of_hub: dict[str, str]) -> None:
    assert prepare.main(of_hub) == 0

    found = owners(of_hub["SECRETS_DIR"]) | owners(of_hub["METRICS_DIR"])
    theirs = {"hub_client_secret", "hub_crypt_key", "traefik_api_password", "metrics_token"}
    assert {name for name, owner in found.items() if owner == 10002} == theirs


def test_bridge_owns_its_secret_key(of_hub: dict[str, str]) -> None:
    ids = {"BRIDGE_GID": "10001", "BRIDGE_UID": "10001"}
    assert prepare.main(of_hub) == prepare.main(of_hub | ids) == 0

    key = Path(of_hub["SECRETS_DIR"], "bridge_secret_key").stat()
    assert (key.st_uid, key.st_gid, stat.S_IMODE(key.st_mode)) == (10001, 10001, 0o440), "Traefik is root"


def test_hub_owns_its_data(of_hub: dict[str, str]) -> None:
    assert prepare.main(of_hub) == 0

    assert set(owners(of_hub["HUB_DATA_DIR"]).values()) == {10002}
    assert stat.S_IMODE(Path(of_hub["HUB_DATA_DIR"]).stat().st_mode) == 0o700


def test_links_in_data_of_hub_are_not_followed(of_hub: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/other").touch()
    Path(of_hub["HUB_DATA_DIR"], "link").symlink_to(tmp_path / "key")
    Path(of_hub["HUB_DATA_DIR"], "links").symlink_to(tmp_path / "folder")

    assert prepare.main(of_hub) == 0

    assert {(tmp_path / name).stat().st_uid for name in ("key", "folder", "folder/other")} == {0}


def test_hub_cannot_replace_fixed_routes(of_hub: dict[str, str]) -> None:
    assert prepare.main(of_hub) == 0

    folder = Path(of_hub["TRAEFIK_DYNAMIC_DIR"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1775, "without the sticky bit, it could rename a file of root"
    assert owners(str(folder)) == {"hub.toml": 10002, "routes.yml": 0}


def test_no_secret_is_printed(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    prepare.main(environ)

    printed = "".join(capsys.readouterr())
    for secret in contents(environ["SECRETS_DIR"]).values():
        assert secret.decode().strip() not in printed


def test_failed_write_leaves_no_partial_file(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_space(_descriptor: int) -> None:
        raise OSError(28, "No space left on device", environ["SECRETS_DIR"])

    monkeypatch.setattr(os, "fsync", no_space)

    assert "No space left on device" in fault(environ, capsys)
    assert contents(environ["SECRETS_DIR"]) == {}


# ── Settings ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_missing_settings_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "SECRETS_DIR, CERTS_DIR, TLS_HOSTS must be set" in fault({"TLS_HOSTS": ""}, capsys)


@pytest.mark.parametrize("hosts", ["https://jupyter.localhost", "jupyter.localhost:8443", "jupyter localhost", "ä.org"])
def test_invalid_host_name_is_rejected(environ: dict[str, str], capsys: pytest.CaptureFixture[str], hosts: str) -> None:
    assert "is no host name" in fault(environ | {"TLS_HOSTS": hosts}, capsys)


def test_empty_host_list_is_rejected(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "contains no host" in fault(environ | {"TLS_HOSTS": " , "}, capsys)


@pytest.mark.parametrize("host", ["*.other.localhost", "*.*.labs.localhost", "*labs.localhost"])
def test_only_lab_host_may_be_a_wildcard(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str], host: str
) -> None:
    hosts = {"TLS_HOSTS": f"jupyter.localhost,{host}", "LAB_HOST": "*.labs.localhost"}
    assert f"TLS_HOSTS contains '{host}', which is no host name" in fault(environ | hosts, capsys)


@pytest.mark.parametrize(
    "lab_host",
    [
        "*.jupyter.localhost",
        "labs.jupyter.localhost",
        "*.auth.localhost",
        "*.localhost",
        "localhost",
        "x.AUTH.localhost",
    ],
)
def test_lab_host_near_another_host_is_rejected(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str], lab_host: str
) -> None:
    hosts = {"TLS_HOSTS": f"{environ['TLS_HOSTS']},{lab_host}", "LAB_HOST": lab_host}
    assert "so labs could set cookies for it" in fault(environ | hosts, capsys)


def test_demo_lab_host_beside_public_host_is_rejected(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    hosts = {"TLS_HOSTS": "jupyter.example.org,*.labs.localhost", "LAB_HOST": "*.labs.localhost"}
    assert "jupyter.example.org is a public host: in .env set LAB_HOST" in fault(environ | hosts, capsys)


def test_self_signed_certificate_covers_lab_hosts(environ: dict[str, str]) -> None:
    hosts = {"TLS_HOSTS": f"{environ['TLS_HOSTS']},*.labs.localhost", "LAB_HOST": "*.Labs.localhost"}
    assert prepare.main(environ | hosts) == 0
    leaf = x509.load_pem_x509_certificate(contents(environ["CERTS_DIR"])["server.crt"])
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "*.labs.localhost" in names.get_values_for_type(x509.DNSName)


def test_unwritable_directory_is_named(
    environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "certs").touch()

    assert str(tmp_path / "certs") in fault(environ, capsys)


def test_static_routes_are_copied_for_traefik(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "dynamic").mkdir()

    prepare.main(environ | {"TRAEFIK_DYNAMIC_DIR": str(tmp_path / "dynamic")})

    assert (tmp_path / "dynamic" / "routes.yml").read_bytes() == SCRIPT.with_name("routes.yml").read_bytes()


def test_prepare_script_runs_alone(environ: dict[str, str], tmp_path: Path) -> None:
    """Run it as in its container: as a script, in another directory, with a minimal environment."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], env=environ, cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 2


def test_demo_cas_is_rejected_beside_public_host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environ = {
        "SECRETS_DIR": str(tmp_path / "secrets"),
        "CERTS_DIR": str(tmp_path / "certs"),
        "TLS_HOSTS": "jupyter.example.org,auth.localhost,cas.localhost",
        "DEMO_CAS_HOST": "cas.localhost",
    }

    assert prepare.main(environ) == 1
    assert "does not run together with jupyter.example.org" in capsys.readouterr().err
    assert not (tmp_path / "secrets").exists()
