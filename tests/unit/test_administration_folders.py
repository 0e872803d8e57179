"""Whose folder a backup is written into: the deployment's own, and nobody else's on this machine."""

import os
from pathlib import Path

import pytest

from hub.administration.faults import AdministrationError
from hub.administration.inside import backup, offboard
from tests.support.volumes import filled, volumes

__all__ = ["filled", "volumes"]  # fixtures

WISH = backup.Wish(project="hub", versions={"jupyterhub": "6.1.1"})


def mode(folder: Path) -> int:
    return folder.stat().st_mode & 0o777


@pytest.mark.parametrize("name", ["index.html", "manifest.json"])
def test_a_folder_that_is_refused_stays_as_open_as_it_was(filled: Path, name: str) -> None:
    backup.TARGET.chmod(0o755)
    (backup.TARGET / name).write_text('{"name": "of a web application"}')
    with pytest.raises(AdministrationError):
        backup.back_up(WISH)
    assert mode(backup.TARGET) == 0o755


def test_a_home_is_archived_beside_other_things_without_closing_their_folder(
    filled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = os.umask(0o022)
    try:
        offboard.TARGET.chmod(0o755)
        (offboard.TARGET / "index.html").touch()
        offboard.archive_home(offboard.Wish("bob", "bob", 30))
    finally:
        os.umask(usual)
    assert mode(offboard.TARGET) == 0o755
    assert {mode(path) for path in offboard.TARGET.glob("bob_*")} == {0o600}
    assert "anybody may list" in capsys.readouterr().out


def test_a_folder_of_archives_is_for_their_owner_alone(filled: Path) -> None:
    offboard.TARGET.chmod(0o755)
    offboard.archive_home(offboard.Wish("bob", "bob", 30))
    assert mode(offboard.TARGET) == 0o700
    offboard.TARGET.chmod(0o755)
    offboard.archive_home(offboard.Wish("bob", "bob", 30))
    assert mode(offboard.TARGET) == 0o700
