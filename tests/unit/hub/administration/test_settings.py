"""Which settings a backup has, and which deployment is meant: read from .env as the administrator wrote it."""

import json
from pathlib import Path

import pytest

from hub.administration.faults import AdministrationError
from hub.administration.worker import backup, places, restore, settings
from hub.administration.worker.manifest import read_manifest
from tests.support.hub.volumes import filled, volumes

__all__ = ["filled", "volumes"]  # fixtures

WISH = backup.BackupRequest(project="hub", versions={"jupyterhub": "6.1.1"}, checkout="/opt/passerelle")


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_every_file_that_env_names_comes_back_as_it_was(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkout = places.CHECKOUT
    write(checkout / ".env", "# a comment\nBRIDGE_CONFIG_FILE='./rules/bridge.toml' # mine\nCAS_HOST=\n")
    write(
        places.SITE / ".env",
        "CAS_PROXY_FILE=./cas-proxy\nexport AUTH_SECRET_FILE=/opt/passerelle/private/../private/secret\n"
        "CAS_CA_FILE=/etc/ssl/cas.pem\nHUB_CONFIG_FILE=../elsewhere.toml\nHUB_TERMS_FILE=terms.md\n"
        "LAB_BASE_IMAGE=registry/a:1\nLAB_PUBLIC_FOLDER=/srv/public\n",
    )
    write(checkout / "cas-proxy", "http://u:p@proxy").chmod(0o640)
    for name in (
        "rules/bridge.toml",
        "private/secret",
        "deployment/notices/terms.md",
        "deployment/notices/announcement.fr.txt",
    ):
        write(checkout / name)
    backup.back_up(WISH)

    kept = {name.removeprefix("settings/") for name in read_manifest(places.TARGET).settings}
    assert kept == {
        *(".env", "deployment/site/.env", "cas-proxy", "rules/bridge.toml", "private/secret"),
        *("deployment/notices/terms.md", "deployment/notices/announcement.fr.txt"),
    }
    copy = places.TARGET / "settings/cas-proxy"
    assert (copy.read_text(), copy.stat().st_mode & 0o777) == ("http://u:p@proxy", 0o640)
    notes = [
        told["text"] for line in capsys.readouterr().out.splitlines() if "note" in (told := json.loads(line))["event"]
    ]
    assert notes == [
        "/etc/ssl/cas.pem (CAS_CA_FILE) is not in the checkout and so not in the backup: keep it yourself.",
        "../elsewhere.toml (HUB_CONFIG_FILE) is not in the checkout and so not in the backup: keep it yourself.",
    ]


def test_a_link_that_leads_out_of_the_checkout_is_told(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (places.CHECKOUT / "deployment/certs").mkdir(parents=True)
    (places.CHECKOUT / "deployment/certs/server.key").symlink_to("/nowhere/live/privkey.pem")
    backup.back_up(WISH)
    assert "deployment/certs/server.key leads out of the checkout" in capsys.readouterr().out


@pytest.mark.parametrize("only_databases", [False, True])
def test_a_project_of_nobody_is_not_backed_up(volumes: Path, only_databases: bool) -> None:
    (volumes / "service/hub-data").mkdir(parents=True)
    with pytest.raises(
        AdministrationError, match=r"project demo has neither a hub's database nor a home.*cd deployment/site"
    ):
        backup.back_up(backup.BackupRequest("demo", {}, only_databases=only_databases))
    assert list(places.TARGET.iterdir()) == []


def test_a_home_is_worth_a_backup_wherever_the_hub_has_its_database(volumes: Path) -> None:
    (volumes / "home/bob").mkdir(parents=True)
    backup.back_up(WISH)
    assert read_manifest(places.TARGET).ended


def test_the_demo_is_not_taken_for_the_deployment_of_site(filled: Path) -> None:
    places.SITE.rmdir()  # not mounted: the command was typed in the checkout
    write(places.CHECKOUT / "deployment/site/.env", "COMPOSE_PROJECT_NAME=hub\n")
    demo = backup.BackupRequest("passerelle", {})
    with pytest.raises(AdministrationError, match=r"This is the project passerelle.*yours is hub.*cd deployment/site"):
        backup.back_up(demo)
    with pytest.raises(AdministrationError, match=r"yours is hub"):
        restore.describe("passerelle")
    backup.back_up(WISH)  # by docker compose --env-file deployment/site/.env


def test_homes_of_real_people_are_not_laid_out_beside_the_demos_users(
    filled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(places.CHECKOUT / ".env", "CAS_HOST=cas.localhost\n")
    write(places.SITE / ".env", "CAS_HOST=\n")
    backup.back_up(WISH)
    restore.describe("hub")  # with the settings that it was made with

    (places.SITE / ".env").unlink()
    with pytest.raises(AdministrationError, match=r"the demo's CAS.*take the settings of the backup over"):
        restore.describe("passerelle")


def test_a_backup_of_the_demo_goes_into_a_demo(filled: Path) -> None:
    write(places.CHECKOUT / ".env", "CAS_HOST=cas.localhost\n")
    backup.back_up(WISH)
    restore.describe("another")


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
def test_a_line_of_env_is_read_as_compose_reads_it(tmp_path: Path, line: str, value: str | None) -> None:
    assert settings.values(write(tmp_path / ".env", line + "\n")).get("A") == value


def test_an_env_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert settings.values(tmp_path / ".env") == {}
