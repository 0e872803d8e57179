"""Settings files in a backup, and the deployment that .env files name."""

from pathlib import Path

import pytest

from hub.administration import AdministrationError
from hub.administration.worker import repository, restore, runtime
from hub.administration.worker.backup import back_up
from hub.administration.worker.manifest import read_manifest
from hub.administration.worker.settings import EXCLUDED_SETTINGS, check_project, parse_env, read_env
from tests.support.hub.backups import REQUEST, backup, backup_and_read_messages, write
from tests.support.hub.volumes import filled, volumes

__all__ = ["filled", "volumes"]  # fixtures

needs_restic = pytest.mark.needs("restic")


def describe(project: str) -> None:
    restore.describe(project, "", only_databases=False, home="")


@needs_restic
def test_files_named_in_env_are_in_the_backup(filled: Path) -> None:
    checkout = runtime.CHECKOUT
    write(checkout / ".env", "# a comment\nBRIDGE_CONFIG_FILE='./rules/bridge.toml' # mine\nCAS_HOST=\n")
    write(
        runtime.SITE / ".env",
        "CAS_PROXY_FILE=./cas-proxy\nexport AUTH_SECRET_FILE=/opt/passerelle/private/../private/secret\n"
        "CAS_CA_FILE=/etc/ssl/cas.pem\nHUB_CONFIG_FILE=../elsewhere.toml\nHUB_TERMS_FILE=terms.md\n"
        "LAB_BASE_IMAGE=registry/a:1\nLAB_PUBLIC_FOLDER=/srv/public\nHUB_BACKUP_PASSWORD_FILE=./backup-password\n",
    )
    write(checkout / "cas-proxy", "http://u:p@proxy").chmod(0o640)
    names = ("rules/bridge.toml", "private/secret", "deployment/notices/terms.md", "backup-password")
    for name in (*names, "deployment/notices/announcement.fr.txt"):
        write(checkout / name)
    result, messages = backup_and_read_messages()

    snapshot = result["snapshot"]
    assert set(read_manifest(snapshot).settings) == {
        *(".env", "deployment/site/.env", "cas-proxy", "rules/bridge.toml", "private/secret"),
        *("deployment/notices/terms.md", "deployment/notices/announcement.fr.txt"),
    }
    repository.extract_folder(snapshot, runtime.STAGING / "settings", runtime.OUTPUT)
    copy = runtime.OUTPUT / "cas-proxy"
    assert (copy.read_text(), copy.stat().st_mode & 0o777) == ("http://u:p@proxy", 0o640)
    assert [message for message in messages if message.startswith("note: ")] == [
        "note: /etc/ssl/cas.pem (CAS_CA_FILE) is outside the checkout and not in the backup: keep a copy.",
        "note: ../elsewhere.toml (HUB_CONFIG_FILE) is outside the checkout and not in the backup: keep a copy.",
    ]


def test_password_file_is_never_in_a_backup() -> None:
    assert "HUB_BACKUP_PASSWORD_FILE" in EXCLUDED_SETTINGS


@needs_restic
def test_link_out_of_the_checkout_is_reported(filled: Path) -> None:
    (runtime.CHECKOUT / "deployment/certs").mkdir(parents=True)
    (runtime.CHECKOUT / "deployment/certs/server.key").symlink_to("/nowhere/live/privkey.pem")
    assert "deployment/certs/server.key is a link out of the checkout" in str(backup_and_read_messages())


def test_demo_is_not_mistaken_for_the_deployment_of_site(volumes: Path) -> None:
    runtime.SITE.rmdir()  # not mounted: the command runs in the checkout
    write(runtime.CHECKOUT / "deployment/site/.env", "COMPOSE_PROJECT_NAME=hub\n")
    with pytest.raises(AdministrationError, match=r"for passerelle, the project of.*your deployment is hub.*deploym"):
        check_project("passerelle")
    check_project("hub")  # by docker compose --env-file deployment/site/.env


@pytest.mark.parametrize("command", [lambda: back_up(**REQUEST), lambda: describe("hub")])
def test_backup_and_restore_check_the_project(volumes: Path, command: "object") -> None:
    runtime.SITE.rmdir()
    write(runtime.CHECKOUT / "deployment/site/.env", "COMPOSE_PROJECT_NAME=other\n")
    with pytest.raises(AdministrationError, match="your deployment is other"):
        command()  # type: ignore[operator]


@needs_restic
def test_real_homes_are_not_restored_beside_demo_users(filled: Path) -> None:
    write(runtime.CHECKOUT / ".env", "CAS_HOST=cas.localhost\n")
    write(runtime.SITE / ".env", "CAS_HOST=\n")
    backup()
    describe("hub")  # with the settings of the backup

    (runtime.SITE / ".env").unlink()
    with pytest.raises(AdministrationError, match=r"the demo's CAS.*restore its settings first \(--settings-to\)"):
        describe("passerelle")


@needs_restic
def test_demo_backup_is_restored_into_a_demo(filled: Path) -> None:
    write(runtime.CHECKOUT / ".env", "CAS_HOST=cas.localhost\n")
    backup()
    describe("another")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("A=", ""),
        (" export A = b ", "b"),
        ("A='b # c'", "b # c"),
        ('A="b" # c', "b"),
        ("A=b # c", "b"),
        ("A=b#c", "b#c"),
        ("#A=b", None),
        ("A", None),
    ],
)
def test_env_lines_are_read_as_compose_does(line: str, value: str | None) -> None:
    assert parse_env(line + "\n").get("A") == value


def test_missing_env_counts_as_empty(tmp_path: Path) -> None:
    assert read_env(tmp_path / ".env") == {}
