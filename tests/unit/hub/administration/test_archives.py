"""Archives of offboarded users' homes on folders as the one-shot container mounts them."""

from pathlib import Path
from typing import Any

import pytest

from hub.administration import AdministrationError
from hub.administration.worker import repository, runtime
from hub.administration.worker.backup import ARCHIVE, archive_home, list_archives, purge_expired
from tests.support.hub.backups import file_names
from tests.support.hub.volumes import filled, volumes

__all__ = ["filled", "volumes"]  # fixtures

pytestmark = pytest.mark.needs("restic")
REQUEST = ("hub", "bob", 30)


def test_archive_is_kept_until_it_expires(filled: Path) -> None:
    archive_home(*REQUEST)
    archive_home("hub", "bob", 0)
    assert [archive["expired"] for archive in list_archives()] == [True, False]
    assert [archive["user"] for archive in purge_expired()] == ["bob"]
    (remaining,) = list_archives()
    assert {"kept.txt", "link", "big"} <= set(file_names(remaining["archive"], filled / "home/bob"))


def test_archive_without_expiry_is_kept(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository.init_repository()
    repository.create_snapshot([filled / "home/bob"], project="hub", tags=[ARCHIVE, "until=2026-01-01"])
    assert purge_expired() == []
    assert "does not say when it expires: it is kept" in capsys.readouterr().out
    assert len(repository.snapshots(ARCHIVE)) == 1


def test_archive_is_not_written_beside_other_files(filled: Path) -> None:
    runtime.TARGET.chmod(0o755)
    (runtime.TARGET / "index.html").touch()
    with pytest.raises(AdministrationError, match="the folder is not empty"):
        archive_home(*REQUEST)
    assert runtime.TARGET.stat().st_mode & 0o777 == 0o755


def test_folder_of_archives_is_readable_by_root_only(filled: Path) -> None:
    runtime.TARGET.chmod(0o755)
    archive_home(*REQUEST)
    assert runtime.TARGET.stat().st_mode & 0o777 == 0o700


def test_incompletely_read_home_is_not_archived(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = repository.create_snapshot

    def create_incomplete(*arguments: Any, **options: Any) -> dict[str, Any]:
        result = create(*arguments, **options)
        result["unread"].append(f"{filled}/home/bob/locked")
        return result

    monkeypatch.setattr(repository, "create_snapshot", create_incomplete)
    with pytest.raises(AdministrationError, match=r"could not be read completely \(locked\), and nothing was deleted"):
        archive_home(*REQUEST)
    assert repository.snapshots(ARCHIVE) == []


def test_archive_is_read_again_before_it_counts(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = repository.create_snapshot

    def create_damaged(*arguments: Any, **options: Any) -> dict[str, Any]:
        result = create(*arguments, **options)
        for pack in (runtime.TARGET / "data").rglob("[0-9a-f]" * 64):
            pack.unlink()
        return result

    monkeypatch.setattr(repository, "create_snapshot", create_damaged)
    with pytest.raises(AdministrationError, match="restic: "):
        archive_home(*REQUEST)
