"""What a restore does not trust, and when archives end."""

from pathlib import Path

import pytest

from hub.administration.faults import AdministrationError
from hub.administration.worker import backup, offboard, places, restore
from hub.administration.worker.manifest import Manifest, read_manifest
from tests.support.hub.volumes import filled, volumes

__all__ = ["filled", "volumes"]  # fixtures

BACK = restore.BackupRequest(jupyterhub="6.1.1")
WISH = backup.BackupRequest(project="hub", versions={"jupyterhub": "6.1.1"})


def test_a_backup_of_a_later_hub_is_refused(filled: Path) -> None:
    backup.back_up(backup.BackupRequest("hub", {"jupyterhub": "6.10.0"}))
    with pytest.raises(AdministrationError, match=r"made with JupyterHub 6\.10\.0 and this checkout has 6\.9\.1"):
        restore.restore(restore.BackupRequest(jupyterhub="6.9.1"))


def test_a_manifest_cannot_point_outside(filled: Path) -> None:
    backup.back_up(WISH)
    manifest = read_manifest(places.TARGET)
    for path in ("../../etc/shadow", "/etc/shadow"):
        parts = tuple(
            part.model_copy(update={"path": path}) if part.kind == "database" else part for part in manifest.parts
        )
        with pytest.raises(AdministrationError, match="do not trust it"):
            restore.check_manifest(manifest.model_copy(update={"parts": parts}), BACK)
    text = (places.TARGET / "manifest.json").read_text().replace('"home/bob.tar"', '"home/../../bob.tar"')
    (places.TARGET / "manifest.json").write_text(text)
    with pytest.raises(AdministrationError, match="not one that this version can read"):
        read_manifest(places.TARGET)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}'])
def test_a_manifest_that_is_none_is_one_sentence(volumes: Path, text: str) -> None:
    (places.TARGET / "manifest.json").write_text(text)
    with pytest.raises(AdministrationError, match="use the version of Passerelle that wrote it"):
        read_manifest(places.TARGET)


def test_an_archive_is_kept_until_its_day_and_not_longer(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    offboard.archive_home(offboard.BackupRequest("bob", "bob", 30))
    (places.TARGET / "stranger.json").write_text("{}")
    (places.TARGET / "x_20260101T000000Z.json").write_text('{"until": "2026-01-01"}')
    offboard.purge_expired()
    assert len(list(places.TARGET.glob("bob_*.tar.gz"))) == 1
    (told,) = places.TARGET.glob("bob_*.json")
    told.write_text(told.read_text().replace('"until": "2', '"until": "1'))
    capsys.readouterr()
    offboard.purge_expired()

    said = capsys.readouterr().out
    assert list(places.TARGET.glob("bob_*")) == []
    assert "x_20260101T000000Z.json does not say until when" in said
    assert (places.TARGET / "stranger.json").exists()


def test_a_manifest_without_parts_is_no_fault() -> None:
    assert Manifest.model_validate({"project": "x", "began": "2026-01-01T00:00:00Z"}).part("home/bob.tar") is None
