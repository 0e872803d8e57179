"""Backup and restore on folders as the one-shot container sees them: real tar, real SQLite, no engine."""

import errno
import json
import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from hub.administration.faults import AdministrationError
from hub.administration.worker import archive, backup, places, restore
from hub.administration.worker.manifest import Manifest, read_manifest, write_manifest
from hub.config.restore_marker import restore_in_progress
from tests.support.hub.volumes import filled, volumes

__all__ = ["filled", "volumes"]  # fixtures

WISH = backup.BackupRequest(project="hub", versions={"jupyterhub": "6.1.1"})
BACK = restore.BackupRequest(jupyterhub="6.1.1")


def empty(volumes: Path) -> None:
    volumes.rename(volumes.with_name("before"))
    for place in ("service/hub-data", "home/bob"):
        (volumes / place).mkdir(parents=True)


def test_everything_comes_back_and_no_lab_is_believed_to_run(filled: Path) -> None:
    backup.back_up(WISH)
    empty(filled)
    restore.restore(BACK)

    home = filled / "home/bob"
    assert sorted(path.name for path in home.iterdir()) == [".cache", "bad\nname", "kept.txt", "link"]
    assert (home / "link").readlink() == Path("/etc/passwd")
    assert (home / "kept.txt").stat().st_mode & 0o777 == 0o640
    assert (filled / "service/hub-data/cookie_secret").read_text() == "secret"
    with closing(sqlite3.connect(filled / "service/hub-data/jupyterhub.sqlite")) as database:
        assert database.execute("SELECT name FROM users").fetchall() == [("bob",)]
        assert database.execute("SELECT id FROM servers").fetchall() == [(1,)]
        assert database.execute("SELECT server_id, state FROM spawners").fetchall() == [(None, None)]


def test_a_copy_of_a_database_is_of_one_moment_while_somebody_writes(filled: Path) -> None:
    database = filled / "service/hub-data/jupyterhub.sqlite"
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("INSERT INTO users VALUES ('not yet committed')")
        backup.back_up(WISH)
        writer.rollback()
    (part,) = (part for part in read_manifest(places.TARGET).parts if part.kind == "database")
    with closing(sqlite3.connect(places.TARGET / part.file)) as copy:
        assert copy.execute("SELECT name FROM users").fetchall() == [("bob",)]
    names = subprocess.run(
        ["tar", "-tf", places.TARGET / "service/hub-data.tar"], capture_output=True, text=True, check=True
    ).stdout
    assert "sqlite" not in names


def test_patterns_leave_out_of_homes_and_never_of_what_services_keep(filled: Path) -> None:
    backup.back_up(backup.BackupRequest("hub", {}, exclude=(".cache", "cookie_secret", "*.txt")))
    listed = {
        place: subprocess.run(
            ["tar", "-tf", places.TARGET / f"{place}.tar"], capture_output=True, text=True, check=True
        ).stdout
        for place in ("home/bob", "service/hub-data")
    }
    assert ".cache" not in listed["home/bob"]
    assert "kept.txt" not in listed["home/bob"]
    assert "cookie_secret" in listed["service/hub-data"]


def test_nobody_else_may_read_a_backup(filled: Path) -> None:
    usual = os.umask(0o022)
    try:
        backup.back_up(WISH)
    finally:
        os.umask(usual)
    assert places.TARGET.stat().st_mode & 0o777 == 0o700
    files = [path for path in places.TARGET.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_settings_are_kept_as_files_and_a_restore_says_where_they_differ(
    filled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (places.CHECKOUT / ".env").write_text("HUB_HOST=a\n")
    (places.SITE / "hub.toml").write_text("# mine\n")
    backup.back_up(WISH)
    (places.CHECKOUT / ".env").write_text("HUB_HOST=b\n")
    capsys.readouterr()
    restore.describe("hub")

    told = json.loads(capsys.readouterr().out)
    assert (places.TARGET / "settings/deployment/site/hub.toml").read_text() == "# mine\n"
    assert told["settings"] == [".env"]
    assert [one["place"] for one in told["in_the_way"]] == ["home/bob", "service/hub-data"]


def test_a_full_disk_leaves_whole_parts_and_says_how_to_go_on(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archive.Hashed, "write", full)
    with pytest.raises(AdministrationError, match=r"disk of the backup is full.*--resume"):
        backup.back_up(WISH)
    assert list(places.TARGET.rglob("*.tar*")) == []
    monkeypatch.undo()


def test_what_does_not_fit_is_told_before_it_is_begun(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "allocated", lambda _: 2**60)
    with pytest.raises(AdministrationError, match=r"free and up to 2097152.0 TiB are needed"):
        backup.back_up(WISH)


def test_a_second_run_begins_anew_only_where_there_is_nothing(filled: Path) -> None:
    backup.back_up(WISH)
    with pytest.raises(AdministrationError, match="there is a whole backup in that folder"):
        backup.back_up(WISH)


def test_an_interrupted_backup_goes_on_and_is_not_laid_out(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = archive.write_tar

    def interrupted(source: Path, *arguments: object, **options: object) -> archive.Written:
        if source.name == "bob":
            raise KeyboardInterrupt
        return usual(source, *arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(archive, "write_tar", interrupted)
        with pytest.raises(KeyboardInterrupt):
            backup.back_up(WISH)
    with pytest.raises(AdministrationError, match="interrupted before it was whole"):
        restore.restore(BACK)
    with pytest.raises(AdministrationError, match="go on with --resume"):
        backup.back_up(WISH)
    with pytest.raises(AdministrationError, match="asked for differently"):
        backup.back_up(backup.BackupRequest("other", {}, resume=True))
    before = (places.TARGET / "service/hub-data.tar").stat().st_mtime_ns
    backup.back_up(backup.BackupRequest("hub", {"jupyterhub": "6.1.1"}, resume=True))

    assert (places.TARGET / "service/hub-data.tar").stat().st_mtime_ns == before
    assert read_manifest(places.TARGET).ended


def test_an_interrupted_restore_goes_on(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup.back_up(WISH)
    empty(filled)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(restore, "_put_database", interrupted)
        with pytest.raises(KeyboardInterrupt):
            restore.restore(BACK)
    assert (filled / "home/bob/kept.txt").exists()
    restore.restore(BACK)

    assert (filled / "service/hub-data/jupyterhub.sqlite").exists()
    assert list(filled.rglob(restore.UNDER_WAY)) == []


def test_nobody_starts_on_what_an_interrupted_restore_left_until_it_is_whole(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub looks into its own volume alone: it is marked first and for longest."""
    (filled / "service/secrets").mkdir()
    backup.back_up(WISH)
    empty(filled)
    hub_data, lasts = filled / "service/hub-data", []
    usual = restore._mark

    def interrupted(folder: Path, manifest: Manifest) -> None:
        usual(folder, manifest)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(restore, "_mark", interrupted)
        with pytest.raises(KeyboardInterrupt):
            restore.restore(BACK)
    assert restore_in_progress(hub_data)

    unlink = Path.unlink
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda path, **options: (lasts.append(path), unlink(path, **options)))
        restore.restore(BACK)
    assert [path for path in lasts if path.name == restore.UNDER_WAY][-1].parent == hub_data
    assert restore_in_progress(hub_data) is None


def test_what_one_backup_left_half_done_is_in_the_way_of_another(
    filled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    backup.back_up(WISH)
    manifest = read_manifest(places.TARGET)
    empty(filled)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(restore, "_put_database", interrupted)
        with pytest.raises(KeyboardInterrupt):
            restore.restore(BACK)

    def in_the_way() -> list[str]:
        capsys.readouterr()
        restore.describe("hub")
        return [one["place"] for one in json.loads(capsys.readouterr().out)["in_the_way"]]

    assert in_the_way() == []
    write_manifest(places.TARGET, manifest.model_copy(update={"began": manifest.began.replace(year=2001)}))
    assert in_the_way() == ["home/bob", "service/hub-data"]
    with pytest.raises(AdministrationError, match="is not empty: nothing was written"):
        restore.restore(BACK)
    assert (filled / "home/bob/kept.txt").exists()
    restore.restore(restore.BackupRequest(jupyterhub="6.1.1", force=True))
    assert list(filled.rglob(restore.UNDER_WAY)) == []


def test_nothing_is_written_over_without_force_and_all_of_it_with(filled: Path) -> None:
    backup.back_up(WISH)
    (filled / "home/bob/later.txt").write_text("written after the backup")
    with pytest.raises(AdministrationError, match="home/bob is not empty: nothing was written"):
        restore.restore(BACK)
    assert (filled / "home/bob/later.txt").exists()
    assert list(filled.rglob(restore.UNDER_WAY)) == []
    restore.restore(restore.BackupRequest(jupyterhub="6.1.1", force=True))

    assert not (filled / "home/bob/later.txt").exists()
    assert (filled / "home/bob/kept.txt").read_text() == "kept"


def test_a_compressed_backup_comes_back_too(filled: Path) -> None:
    backup.back_up(backup.BackupRequest("hub", {}, compress=True))
    assert (places.TARGET / "home/bob.tar.gz").exists()
    empty(filled)
    restore.restore(BACK)
    assert (filled / "home/bob/kept.txt").read_text() == "kept"
