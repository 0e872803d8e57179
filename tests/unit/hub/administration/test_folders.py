"""Whose folder a backup is written into: the deployment's own, and nobody else's on this machine."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from hub.administration.engine import Engine
from hub.administration.faults import AdministrationError
from hub.administration.worker import backup, offboard, places
from tests.support.hub.volumes import filled, volumes

__all__ = ["filled", "volumes"]  # fixtures

WISH = backup.BackupRequest(project="hub", versions={"jupyterhub": "6.1.1"})


def mode(folder: Path) -> int:
    return folder.stat().st_mode & 0o777


@pytest.mark.parametrize("name", ["index.html", "manifest.json"])
def test_a_folder_that_is_refused_stays_as_open_as_it_was(filled: Path, name: str) -> None:
    places.TARGET.chmod(0o755)
    (places.TARGET / name).write_text('{"name": "of a web application"}')
    with pytest.raises(AdministrationError):
        backup.back_up(WISH)
    assert mode(places.TARGET) == 0o755


def test_a_home_is_archived_beside_other_things_without_closing_their_folder(
    filled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = os.umask(0o022)
    try:
        places.TARGET.chmod(0o755)
        (places.TARGET / "index.html").touch()
        offboard.archive_home(offboard.BackupRequest("bob", "bob", 30))
    finally:
        os.umask(usual)
    assert mode(places.TARGET) == 0o755
    assert {mode(path) for path in places.TARGET.glob("bob_*")} == {0o600}
    assert "anybody may list" in capsys.readouterr().out


def test_a_folder_of_archives_is_for_their_owner_alone(filled: Path) -> None:
    places.TARGET.chmod(0o755)
    offboard.archive_home(offboard.BackupRequest("bob", "bob", 30))
    assert mode(places.TARGET) == 0o700
    places.TARGET.chmod(0o755)
    offboard.archive_home(offboard.BackupRequest("bob", "bob", 30))
    assert mode(places.TARGET) == 0o700


def test_the_checkout_is_known_before_anything_was_started() -> None:
    class Own:
        labels = {  # noqa: RUF012
            "com.docker.compose.project": "hub",
            "com.docker.compose.project.working_dir": "/opt/passerelle/site",
        }
        attrs = {  # noqa: RUF012
            "Mounts": [{"Destination": "/etc/passerelle/notices", "Source": "/opt/passerelle/deployment/notices"}]
        }

    class Prepare:
        attrs = {"Mounts": [{"Destination": "/edge", "Source": "/opt/checkout/edge"}]}  # noqa: RUF012

    def folders(*found: object) -> dict[str, str]:
        containers = SimpleNamespace(list=lambda **_: found)
        return Engine(SimpleNamespace(containers=containers), Own()).folders()

    assert folders() == {"/checkout": "/opt/passerelle", "/site": "/opt/passerelle/site"}
    assert folders(Prepare())["/checkout"] == "/opt/checkout"
